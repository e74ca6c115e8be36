#pragma once

/// Everything of tsock::npa.

#include <tsock/npa/accept.hpp>
#include <tsock/npa/connect.hpp>
#include <tsock/npa/identity.hpp>
#include <tsock/npa/level.hpp>
#include <tsock/npa/listen.hpp>
#include <tsock/npa/peer.hpp>
#include <tsock/npa/reply.hpp>
