#pragma once

/// Everything of tsock::gssapi.

#include <tsock/gssapi/accept.hpp>
#include <tsock/gssapi/connect.hpp>
#include <tsock/gssapi/credentials.hpp>
#include <tsock/gssapi/error_code.hpp>
#include <tsock/gssapi/message_options.hpp>
#include <tsock/gssapi/peer.hpp>
#include <tsock/gssapi/security_context.hpp>
