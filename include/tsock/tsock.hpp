#pragma once

/// Everything of the core library.

#include <tsock/address.hpp>
#include <tsock/child_process.hpp>
#include <tsock/connect_host.hpp>
#include <tsock/datagram.hpp>
#include <tsock/error.hpp>
#include <tsock/inspect.hpp>
#include <tsock/listener.hpp>
#include <tsock/loop.hpp>
#include <tsock/memory_datagram.hpp>
#include <tsock/memory_stream.hpp>
#include <tsock/metrics_text.hpp>
#include <tsock/operation.hpp>
#include <tsock/pump.hpp>
#include <tsock/queue.hpp>
#include <tsock/rate_limit.hpp>
#include <tsock/request.hpp>
#include <tsock/resolver.hpp>
#include <tsock/stdio_stream.hpp>
#include <tsock/stream.hpp>
#include <tsock/trace_writer.hpp>
#include <tsock/uv_stream.hpp>
#include <tsock/version.hpp>
#include <tsock/worker.hpp>
