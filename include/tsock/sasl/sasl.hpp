#pragma once

/// Everything of tsock::sasl.

#include <tsock/sasl/accept.hpp>
#include <tsock/sasl/client_session.hpp>
#include <tsock/sasl/connect.hpp>
#include <tsock/sasl/error_code.hpp>
#include <tsock/sasl/peer.hpp>
#include <tsock/sasl/server_session.hpp>
#include <tsock/sasl/wrap.hpp>
