#include "gssapi/mit/credentials_state.hpp"

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <new>
#include <span>
#include <tsock/gssapi/credentials.hpp>
#include <utility>

#include "gssapi/mit/status.hpp"

namespace tsock::inline v0::gssapi {

namespace {

// Before its end a ticket is asked for anew.
constexpr std::chrono::seconds renewal_margin{30};

// gss-ntlmssp looks for a NUL behind it.
layer::WipedBytes with_nul(std::string_view password) {
  layer::WipedBytes bytes;
  bytes.resize(password.size() + 1);
  std::ranges::copy(std::as_bytes(std::span(password)), bytes.bytes().begin());
  return bytes;
}

// Caches in memory live as long as the process, and those of one name are one.
std::string new_cache_name() {
  static std::atomic<unsigned> count = 0;
  return "MEMORY:tsock-gssapi-" + std::to_string(++count);
}

void destroy_cache(const std::string& name) noexcept {
  krb5_context context = nullptr;
  if (krb5_init_context(&context) != 0) return;
  krb5_ccache cache = nullptr;
  if (krb5_cc_resolve(context, name.c_str(), &cache) == 0) krb5_cc_destroy(context, cache);
  krb5_free_context(context);
}

int import_principal(const std::string& text, GssName& name, std::string& reason) {
  OM_uint32 minor = 0;
  gss_buffer_desc buffer = buffer_of(std::as_bytes(std::span(text)));
  const OM_uint32 major = gss_import_name(&minor, &buffer, GSS_C_NT_USER_NAME, name.place());
  if (!GSS_ERROR(major)) return 0;
  reason = status_text(major, minor, GSS_C_NO_OID);
  return EINVAL;
}

int acquire_from_cache(const std::string& cache, gss_OID mechanism, GssCredential& credential,
                       std::string& reason) {
  gss_OID_set_desc one{1, mechanism};
  gss_key_value_element_desc element{"ccache", cache.c_str()};
  const gss_key_value_set_desc store{1, &element};
  OM_uint32 minor = 0;
  const OM_uint32 major = gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE,
                                                mechanism != GSS_C_NO_OID ? &one : GSS_C_NO_OID_SET,
                                                GSS_C_INITIATE, &store, credential.place(), nullptr, nullptr);
  if (!GSS_ERROR(major)) return 0;
  reason = status_text(major, minor, mechanism);
  return handshake_errno(major, minor);
}

// Whether the mechanism has tickets that a cache can hold. SPNEGO has credentials of several mechanisms, so
// that the result of storing says little.
bool copy_to_cache(const GssCredential& credential, gss_OID mechanism, const std::string& cache) {
  gss_key_value_element_desc element{"ccache", cache.c_str()};
  const gss_key_value_set_desc store{1, &element};
  OM_uint32 minor = 0;
  gss_store_cred_into(&minor, credential.get(), GSS_C_INITIATE, GSS_C_NO_OID, 1, 1, &store, nullptr, nullptr);
  GssCredential stored;
  std::string reason;
  return acquire_from_cache(cache, mechanism, stored, reason) == 0;
}

/// A handshake's own, over tickets that it shares with others.
struct OwnCredential {
  std::shared_ptr<const void> tickets;
  GssCredential credential;
};

}  // namespace

int import_target(const std::string& text, GssName& name, std::string& reason) {
  if (text.empty() || text.find('\0') != std::string::npos) {
    reason = "there is no name of the service";
    return EINVAL;
  }
  const bool is_principal = text.find('/') != std::string::npos || text.find('@') == std::string::npos;
  if (is_principal) return import_principal(text, name, reason);
  OM_uint32 minor = 0;
  gss_buffer_desc buffer = buffer_of(std::as_bytes(std::span(text)));
  const OM_uint32 major = gss_import_name(&minor, &buffer, GSS_C_NT_HOSTBASED_SERVICE, name.place());
  if (!GSS_ERROR(major)) return 0;
  reason = status_text(major, minor, GSS_C_NO_OID);
  return EINVAL;
}

/// What a KDC is asked for, by one thread for all that need it meanwhile.
struct CredentialsState::Acquisition {
  Acquisition() = default;
  Acquisition(const Acquisition&) = delete;
  Acquisition& operator=(const Acquisition&) = delete;
  ~Acquisition() {
    credential.reset();
    if (!cache.empty()) destroy_cache(cache);
  }

  // Of CredentialsState::mutex_; what follows belongs to the thread that asks until then, and to nobody else
  // afterwards.
  bool is_over = false;
  int err = ENOMEM;
  std::string reason;
  std::string cache;  // for its tickets
  bool is_in_cache = false;
  GssCredential credential;  // where a cache cannot hold it
  std::chrono::steady_clock::time_point until;
};

CredentialsState::CredentialsState(Source source, std::string place, std::string principal,
                                   std::string_view password)
    : source_(source),
      place_(std::move(place)),
      principal_(std::move(principal)),
      password_(with_nul(password)) {}

CredentialsState::CredentialsState(GssCredential delegated)
    : source_(Source::delegated), delegated_(std::move(delegated)) {}

// \param cache where a client's keys put their tickets
int CredentialsState::acquire_anew(Use use, gss_OID mechanism, const std::string& cache,
                                   GssCredential& credential, std::string& reason) const {
  GssName name;
  if (!principal_.empty()) {
    if (const int err = import_principal(principal_, name, reason); err != 0) return err;
  }
  gss_OID_set_desc one{1, mechanism};
  gss_OID_set mechanisms = mechanism != GSS_C_NO_OID ? &one : GSS_C_NO_OID_SET;
  const gss_cred_usage_t usage = use == Use::initiate ? GSS_C_INITIATE : GSS_C_ACCEPT;
  OM_uint32 minor = 0;
  OM_uint32 major = 0;
  if (source_ == Source::password) {
    gss_buffer_desc password = buffer_of(password_.bytes().first(password_.size() - 1));
    major = gss_acquire_cred_with_password(&minor, name.get(), &password, GSS_C_INDEFINITE, mechanisms, usage,
                                           credential.place(), nullptr, nullptr);
  } else {
    std::array<gss_key_value_element_desc, 2> elements{};
    std::uint32_t count = 1;
    elements[0] = {source_ == Source::ccache ? "ccache"
                   : use == Use::accept      ? "keytab"
                                             : "client_keytab",
                   place_.c_str()};
    if (!cache.empty()) elements[count++] = {"ccache", cache.c_str()};
    const gss_key_value_set_desc store{count, elements.data()};
    major = gss_acquire_cred_from(&minor, name.get(), GSS_C_INDEFINITE, mechanisms, usage, &store,
                                  credential.place(), nullptr, nullptr);
  }
  if (!GSS_ERROR(major)) return 0;
  reason = status_text(major, minor, mechanism);
  return handshake_errno(major, minor);
}

int CredentialsState::acquire_once(Use use, gss_OID mechanism, Acquisition& once) const {
  once.cache = new_cache_name();
  once.until = std::chrono::steady_clock::time_point::max();
  if (source_ == Source::delegated) {
    once.is_in_cache = copy_to_cache(delegated_, mechanism, once.cache);
    return 0;
  }
  if (const int err = acquire_anew(use, mechanism, once.cache, once.credential, once.reason); err != 0)
    return err;
  // The tickets of a keytab come no sooner than they are needed.
  OM_uint32 minor = 0;
  OM_uint32 lifetime = 0;
  const OM_uint32 major =
      gss_inquire_cred(&minor, once.credential.get(), nullptr, &lifetime, nullptr, nullptr);
  if (GSS_ERROR(major)) {
    once.reason = status_text(major, minor, mechanism);
    return handshake_errno(major, minor);
  }
  once.until = std::chrono::steady_clock::now() + std::chrono::seconds(lifetime) - renewal_margin;
  once.is_in_cache = source_ == Source::keytab || copy_to_cache(once.credential, mechanism, once.cache);
  const bool is_negotiated = MechanismOid::text_of(mechanism) == "spnego";
  if (once.is_in_cache || source_ != Source::password || use != Use::initiate || !is_negotiated) return 0;
  // SPNEGO does not give away what it has got with a password. Kerberos does.
  MechanismOid kerberos;
  kerberos.parse("kerberos");
  GssCredential tickets;
  std::string reason;
  if (acquire_anew(use, kerberos.get(), {}, tickets, reason) != 0) return 0;
  copy_to_cache(tickets, kerberos.get(), once.cache);
  GssCredential stored;
  once.is_in_cache = acquire_from_cache(once.cache, mechanism, stored, reason) == 0;
  return 0;
}

// Who comes while a thread asks gets its answer, an error too: a KDC that is silent holds them all for as
// long as it holds one.
std::shared_ptr<CredentialsState::Acquisition> CredentialsState::acquire_for_all(Use use,
                                                                                 MechanismOid& mechanism) {
  const std::string wanted =
      (use == Use::initiate ? "initiate " : "accept ") + MechanismOid::text_of(mechanism.get());
  std::unique_lock lock(mutex_);
  std::shared_ptr<Acquisition>& last = acquisitions_[wanted];
  std::shared_ptr<Acquisition> once = last;
  if (once != nullptr && !once->is_over) {
    ++waiting_;
    is_acquired_.wait(lock, [&once] { return once->is_over; });
    --waiting_;
    return once;
  }
  if (once != nullptr && once->err == 0 && std::chrono::steady_clock::now() < once->until) return once;
  last = once = std::make_shared<Acquisition>();
  lock.unlock();
  int err = ENOMEM;
  try {
    err = acquire_once(use, mechanism.get(), *once);
  } catch (const std::bad_alloc&) {
    once->reason.clear();
  }
  lock.lock();
  once->err = err;
  once->is_over = true;
  is_acquired_.notify_all();
  return once;
}

int CredentialsState::acquire(Use use, MechanismOid& mechanism, std::shared_ptr<GssCredential>& credential,
                              std::string& reason) {
  // Others change caches and keytabs; only what the KDC was asked for is kept.
  if (source_ == Source::ccache || (source_ == Source::keytab && use == Use::accept)) {
    auto acquired = std::make_shared<GssCredential>();
    const int err = acquire_anew(use, mechanism.get(), {}, *acquired, reason);
    if (err == 0) credential = std::move(acquired);
    return err;
  }
  const std::shared_ptr<Acquisition> once = acquire_for_all(use, mechanism);
  if (once->err != 0) {
    reason = once->reason;
    return once->err;
  }
  if (!once->is_in_cache) {
    credential = source_ == Source::delegated
                     ? std::shared_ptr<GssCredential>(shared_from_this(), &delegated_)
                     : std::shared_ptr<GssCredential>(once, &once->credential);
    return 0;
  }
  // A handshake locks its credential while it asks the KDC for a ticket, so each has one of its own.
  auto own = std::make_shared<OwnCredential>();
  own->tickets = once;
  const int err = acquire_from_cache(once->cache, mechanism.get(), own->credential, reason);
  if (err == 0) credential = std::shared_ptr<GssCredential>(own, &own->credential);
  return err;
}

int CredentialsState::acquire(const std::shared_ptr<CredentialsState>& state, Use use,
                              MechanismOid& mechanism, std::shared_ptr<GssCredential>& credential,
                              std::string& reason) {
  if (state != nullptr) return state->acquire(use, mechanism, credential, reason);
  auto acquired = std::make_shared<GssCredential>();
  gss_OID_set_desc one{1, mechanism.get()};
  OM_uint32 minor = 0;
  const OM_uint32 major = gss_acquire_cred(
      &minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, mechanism.empty() ? GSS_C_NO_OID_SET : &one,
      use == Use::initiate ? GSS_C_INITIATE : GSS_C_ACCEPT, acquired->place(), nullptr, nullptr);
  if (GSS_ERROR(major)) {
    reason = status_text(major, minor, mechanism.get());
    return handshake_errno(major, minor);
  }
  credential = std::move(acquired);
  return 0;
}

int CredentialsState::store(const std::string& ccache, std::string& reason) {
  MechanismOid kerberos;
  kerberos.parse("kerberos");
  std::shared_ptr<GssCredential> credential;
  if (const int err = acquire(Use::initiate, kerberos, credential, reason); err != 0) return err;
  gss_key_value_element_desc element{"ccache", ccache.c_str()};
  const gss_key_value_set_desc store{1, &element};
  OM_uint32 minor = 0;
  const OM_uint32 major = gss_store_cred_into(&minor, credential->get(), GSS_C_INITIATE, GSS_C_NO_OID, 1, 1,
                                              &store, nullptr, nullptr);
  if (!GSS_ERROR(major)) return 0;
  reason = status_text(major, minor, GSS_C_NO_OID);
  return EIO;
}

Credentials::Credentials() noexcept = default;
Credentials::Credentials(const Credentials&) noexcept = default;
Credentials::Credentials(Credentials&&) noexcept = default;
Credentials& Credentials::operator=(const Credentials&) noexcept = default;
Credentials& Credentials::operator=(Credentials&&) noexcept = default;
Credentials::~Credentials() = default;
Credentials::Credentials(std::shared_ptr<CredentialsState> state) noexcept : state_(std::move(state)) {}

Credentials Credentials::from_ccache(std::string name, std::string principal) {
  return Credentials(std::make_shared<CredentialsState>(CredentialsState::Source::ccache, std::move(name),
                                                        std::move(principal), std::string_view()));
}
Credentials Credentials::from_keytab(std::string name, std::string principal) {
  return Credentials(std::make_shared<CredentialsState>(CredentialsState::Source::keytab, std::move(name),
                                                        std::move(principal), std::string_view()));
}
Credentials Credentials::with_password(std::string principal, std::string_view password) {
  return Credentials(std::make_shared<CredentialsState>(CredentialsState::Source::password, std::string(),
                                                        std::move(principal), password));
}

int Credentials::store(const std::string& ccache, std::string& reason) const {
  if (state_ != nullptr) return state_->store(ccache, reason);
  reason = "the system's own credentials are stored already";
  return EINVAL;
}

}  // namespace tsock::inline v0::gssapi
