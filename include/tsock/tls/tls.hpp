#pragma once

/// Everything of tsock::tls.

#include <tsock/tls/accept.hpp>
#include <tsock/tls/certificate_info.hpp>
#include <tsock/tls/connect.hpp>
#include <tsock/tls/context.hpp>
#include <tsock/tls/error_code.hpp>
#include <tsock/tls/listen.hpp>
#include <tsock/tls/peer.hpp>
