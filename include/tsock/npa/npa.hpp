#pragma once

/// Everything of tsock::npa.

#include <tsock/npa/identity.hpp>
#include <tsock/npa/level.hpp>
#include <tsock/npa/reply.hpp>
