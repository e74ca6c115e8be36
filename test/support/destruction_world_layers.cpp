// What a DestructionWorld does with layers: toys, and those of the parts that are built.
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tsock/layer/layer_over.hpp>
#include <tsock/layer/listen_over.hpp>
#include <utility>
#include <vector>

#ifdef TSOCK_WITH_GSSAPI
#include <tsock/gssapi/gssapi.hpp>

#include "support/kdc.hpp"
#endif
#ifdef TSOCK_WITH_NPA
#include <tsock/npa/npa.hpp>
#endif
#ifdef TSOCK_WITH_SASL
#include "support/sasl_fixture.hpp"
#endif
#ifdef TSOCK_WITH_TLS
#include <tsock/tls/tls.hpp>
#endif

#include "support/destruction_world.hpp"
#include "support/destruction_world_jobs.hpp"
#include "support/loop_fixture.hpp"
#include "support/toy_engine.hpp"

namespace tsock::test {

#ifdef TSOCK_WITH_TLS

/// Contexts of both sides, with a pre-shared key, which costs no signature.
struct DestructionWorld::TlsContexts {
  static tls::PreSharedKey shared_key() { return {"world", std::vector<std::byte>(32, std::byte{7})}; }

  TlsContexts(tls::Version version, std::uint32_t early_data) {
    int err = 0;
    std::string reason;
    client = tls::Context::client(
        {.trust = {}, .psk = shared_key(), .protocol = {.lowest = version, .highest = version}}, err, reason);
    if (err == 0) {
      tls::ServerOptions options{.find_psk = [](std::string_view) { return shared_key(); }};
      options.replayable_early_data = early_data;
      options.protocol = {.lowest = version, .highest = version};
      server = tls::Context::server(options, err, reason);
    }
    if (err != 0) throw std::runtime_error("no TLS context: " + reason);
  }

  tls::Context client;
  tls::Context server;
};

#else

struct DestructionWorld::TlsContexts {};

#endif

void DestructionWorld::prepare_layers() {
#ifdef TSOCK_WITH_TLS
  if (layers_ != Layers::tls) return;
  const tls::Version version = random_.one_in(3) ? tls::Version::tls1_2 : tls::Version::tls1_3;
  tls_ = std::make_shared<TlsContexts>(version, random_.one_in(3) ? 1000U : 0U);
#endif
}

/// A stream with several layers: each handshake is a child.
class WorldFloors final : public Operation<Stream> {
 public:
  static constexpr const char* name = "floors";

  WorldFloors(DestructionWorld& world, Request<Stream> below, bool is_client, std::size_t floors)
      : world_(&world), child_(std::move(below)), is_client_(is_client), floors_(floors) {}

  void start() override { watch(); }
  void cleanup(Outcome /*outcome*/, int /*err*/) noexcept override { *alive_ = false; }

 private:
  void watch() {
    child_.set_callback([this](Request<Stream>& below) {
      world_->check_callback("a handshake completes from the loop");
      int err = 0;
      Stream stream = below.recv(err);
      const std::shared_ptr<bool> alive = alive_;
      world_->act_some();
      if (!*alive || error(err)) return;
      if (floors_-- == 0) {
        done(std::move(stream));
        return;
      }
      Request<Stream> next = world_->layer(std::move(stream), is_client_);
      if (!*alive) return;
      child_ = std::move(next);
      watch();
    });
  }

  DestructionWorld* world_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  Request<Stream> child_;
  bool is_client_;
  std::size_t floors_;
};

// Starts a handshake of the world's kind, toys aside. Both sides need not fit.
std::optional<Request<Stream>> DestructionWorld::part_layer([[maybe_unused]] Stream& below,
                                                            [[maybe_unused]] bool is_client) {
  if (random_.one_in(50)) return std::nullopt;
#ifdef TSOCK_WITH_GSSAPI
  if (layers_ == Layers::gssapi) {
    static const auto shared = gssapi::Credentials::with_password("alice", Kdc::alices_password);
    const auto protection =
        random_.one_in(10) ? gssapi::Protection::integrity : gssapi::Protection::confidentiality;
    if (!is_client) return gssapi::accept(std::move(below), {.protection = protection});
    gssapi::ConnectOptions options{.target = random_.one_in(20) ? "nobody@localhost" : "gsstest@localhost",
                                   .protection = protection};
    if (random_.one_in(3)) options.mechanism = "spnego";
    if (random_.one_in(2)) options.credentials = shared;
    return gssapi::connect(std::move(below), options);
  }
#endif
#ifdef TSOCK_WITH_SASL
  if (layers_ == Layers::sasl) {
    if (!is_client) {
      sasl::ServerOptions options = sasl_server_options();
      options.security.allow_by_name = {"ANONYMOUS"};
      options.security.highest_strength = 1;  // see ignore_leaks_of_digest_md5()
      return sasl::accept(std::move(below), options);
    }
    // Some without a layer, and one that no server has.
    static constexpr std::array names{"DIGEST-MD5", "DIGEST-MD5", "SCRAM-SHA-256", "ANONYMOUS", "NONE"};
    sasl::ClientOptions options =
        sasl_client_options(names[random_.below(names.size())], random_.one_in(20) ? "wrong" : "alicepw");
    options.security.allow_by_name = {"ANONYMOUS"};
    options.security.highest_strength = 1;
    options.security.longest_message = static_cast<std::uint32_t>(random_.between(1000, 65536));
    return sasl::connect(std::move(below), options);
  }
#endif
#ifdef TSOCK_WITH_NPA
  if (layers_ == Layers::npa) {
    // What a toy says may be the beginning of a message.
    constexpr std::chrono::milliseconds handshake_time(50);
    if (is_client) {
      const Address address = loopback_v4();
      Request<Stream> made = npa::connect(std::move(below), npa::Identity::anonymous(address, address));
      made.set_timeout(handshake_time);
      return made;
    }
    // Functions of the user's, which may act.
    const npa::FileType mode = random_.one_in(3) ? npa::FileType::byte_mode : npa::FileType::message_mode;
    npa::AcceptOptions options{.reply = {.file_type = mode}};
    options.trusts = [this, capture = std::make_shared<Capture>(*this)](const Stream&) {
      return !random_.one_in(20);
    };
    if (random_.one_in(2)) {
      options.answer = [this, mode, capture = std::make_shared<Capture>(*this)](const npa::Identity&) {
        throw_sometimes();
        return npa::Reply{.file_type = mode};
      };
    }
    Request<Stream> made = npa::accept(std::move(below), options);
    made.set_timeout(handshake_time);
    return made;
  }
#endif
  return std::nullopt;
}

// Starts a handshake of the world's kind.
Request<Stream> DestructionWorld::layer(Stream below, bool is_client) {
  if (auto made = part_layer(below, is_client)) {
    // A server of SASL begins, a toy waits for its client: detached, nobody would end it. NPA has its own.
    if (layers_ == Layers::sasl || layers_ == Layers::gssapi) made->set_timeout(std::chrono::seconds(1));
    return std::move(*made);
  }
  const std::chrono::milliseconds goodbye_time(random_.below(4));
#ifdef TSOCK_WITH_TLS
  if (tls_ != nullptr && !random_.one_in(50)) {
    if (!is_client) return tls::accept(std::move(below), tls_->server, {.goodbye_time = goodbye_time});
    const std::array<std::byte, 10> early{};
    tls::ConnectOptions options{.goodbye_time = goodbye_time};
    if (random_.one_in(2)) options.peer_name = "world";
    if (random_.one_in(4)) options.early_data = ByteView(early);
    return tls::connect(std::move(below), tls_->client, options);
  }
#endif
  const ToyEngine::Side side = is_client ? ToyEngine::Side::client : ToyEngine::Side::server;
  ToyEngine::Kind kind{.may_be_cut = random_.one_in(2), .half_close = random_.one_in(2)};
  if (random_.one_in(2)) kind.held = std::make_shared<Capture>(*this);
  return layer::layer_over(std::move(below), std::make_unique<ToyEngine>(side, std::move(kind)), "toy",
                           {.goodbye_time = goodbye_time});
}

std::pair<Stream, Stream> DestructionWorld::fresh_pair() {
  if (random_.one_in(2)) {
    int err = 0;
    std::pair<Stream, Stream> pair = Stream::socketpair(*loop_, err);
    check(err == 0, "a socketpair can be made");
    return pair;
  }
  MemoryStreamOptions options;
  if (random_.one_in(2)) options.max_transfer = random_.between(1, 100);
  options.read_ahead = random_.one_in(2);
  return memory_stream_pair(*loop_, options);
}

void DestructionWorld::start_layered_pair() {
  auto [left, right] = fresh_pair();
  const std::size_t floors = random_.one_in(3) ? random_.below(3) : 0;
  const auto begin = [&](Stream& below, bool is_client) {
    start({}, [&](const auto&) {
      Request<Stream> first = layer(std::move(below), is_client);
      if (floors == 0) return first;
      return make_request<WorldFloors>(*loop_, *this, std::move(first), is_client, floors);
    });
  };
  begin(left, true);
  // What the first one replaced may have destroyed the loop.
  if (right.is_open()) begin(right, false);
}

// Whatever the other end is: it may never answer.
void DestructionWorld::start_layer() {
  Stream stream = std::move(any_stream());
  const auto make = [&](const auto&) { return layer(std::move(stream), random_.one_in(2)); };
  start({}, make, true);
}

void DestructionWorld::start_layered_connect() {
  const Address address = any_listener().local_address();
  const auto make = [&](const auto&) {
    return make_request<WorldFloors>(*loop_, *this, Stream::connect(*loop_, address), true, 1U);
  };
  start({}, make, true);
}

void DestructionWorld::make_layer_listener() {
  const std::size_t slot = random_.below(listeners_.size());
  make_listener(slot);
  // Acts of what was destroyed for it may have put another one there.
  Listener below = std::move(listeners_[slot]);
  if (!below) return;
  layer::ListenOptions options;
  options.most_handshakes = random_.below(4);
  options.handshake_time = std::chrono::milliseconds(random_.between(1, 20));
  options.on_failure = [this, capture = std::make_shared<Capture>(*this)](const Address&, int err,
                                                                          std::string_view) {
    check_callback("a failed handshake is told from the loop");
    check(err != 0, "a failed handshake has an error");
    act_some();
    throw_sometimes();
  };
  const auto handshake = [this, capture = std::make_shared<Capture>(*this)](Stream stream) {
    check_callback("a handshake of a listener begins from the loop");
    act_some();
    throw_sometimes();
    return random_.one_in(10) ? Request<Stream>() : layer(std::move(stream), false);
  };
  Listener made = layer::listen_over(std::move(below), handshake, std::move(options));
  if (random_.one_in(2)) accept_all(made);
  replace_listener(slot, std::move(made));
}

std::vector<DestructionWorld::WeightedAct> DestructionWorld::layer_acts() {
  using W = DestructionWorld;
  return {
      {40, &W::start_layered_pair}, {8, &W::start_layer},   {10, &W::start_layered_connect},
      {4, &W::make_layer_listener}, {10, &W::start_accept},
  };
}

}  // namespace tsock::test
