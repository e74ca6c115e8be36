#pragma once

/// Everything about proxies.

#include <tsock/proxy/accept.hpp>
#include <tsock/proxy/header.hpp>
#include <tsock/proxy/header_format.hpp>
#include <tsock/proxy/http_connect.hpp>
#include <tsock/proxy/listen.hpp>
#include <tsock/proxy/network.hpp>
#include <tsock/proxy/send_header.hpp>
#include <tsock/proxy/socks5_connect.hpp>
#include <tsock/proxy/ssl_info.hpp>
#include <tsock/proxy/target.hpp>
#include <tsock/proxy/tlv.hpp>
