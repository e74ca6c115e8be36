#include "gssapi/credentials_state.hpp"

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <span>
#include <tsock/gssapi/credentials.hpp>
#include <utility>

#include "gssapi/status.hpp"

namespace tsock::gssapi {

namespace {

// Before its end a ticket is asked for anew.
constexpr std::chrono::seconds renewal_margin{30};

layer::WipedBytes wiped(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return layer::WipedBytes(std::vector<std::byte>(bytes.begin(), bytes.end()));
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

CredentialsState::CredentialsState(Source source, std::string place, std::string principal,
                                   std::string_view password)
    : source_(source),
      place_(std::move(place)),
      principal_(std::move(principal)),
      password_(wiped(password)) {}

CredentialsState::CredentialsState(GssCredential delegated)
    : source_(Source::delegated),
      kept_(std::make_shared<GssCredential>(std::move(delegated))),
      kept_until_(std::chrono::steady_clock::time_point::max()) {}

CredentialsState::~CredentialsState() {
  kept_.reset();
  if (!own_cache_.empty()) destroy_cache(own_cache_);
}

int CredentialsState::acquire_anew(Use use, gss_OID mechanism, GssCredential& credential,
                                   std::string& reason) {
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
    gss_buffer_desc password = buffer_of(password_.bytes());
    major = gss_acquire_cred_with_password(&minor, name.get(), &password, GSS_C_INDEFINITE, mechanisms, usage,
                                           credential.place(), nullptr, nullptr);
  } else {
    // A client's keys get their tickets, which need a cache of their own.
    std::array<gss_key_value_element_desc, 2> elements{};
    std::uint32_t count = 1;
    elements[0] = {source_ == Source::ccache ? "ccache"
                   : use == Use::accept      ? "keytab"
                                             : "client_keytab",
                   place_.c_str()};
    if (source_ == Source::keytab && use == Use::initiate) {
      if (own_cache_.empty()) own_cache_ = new_cache_name();
      elements[count++] = {"ccache", own_cache_.c_str()};
    }
    const gss_key_value_set_desc store{count, elements.data()};
    major = gss_acquire_cred_from(&minor, name.get(), GSS_C_INDEFINITE, mechanisms, usage, &store,
                                  credential.place(), nullptr, nullptr);
  }
  if (!GSS_ERROR(major)) return 0;
  reason = status_text(major, minor, mechanism);
  return handshake_errno(major, minor);
}

int CredentialsState::acquire(Use use, MechanismOid& mechanism, std::shared_ptr<GssCredential>& credential,
                              std::string& reason) {
  const std::string wanted =
      (use == Use::initiate ? "initiate " : "accept ") + MechanismOid::text_of(mechanism.get());
  const std::lock_guard lock(mutex_);
  const bool is_kept = kept_ != nullptr && std::chrono::steady_clock::now() < kept_until_ &&
                       (source_ == Source::delegated || kept_for_ == wanted);
  if (is_kept) {
    credential = kept_;
    return 0;
  }
  auto acquired = std::make_shared<GssCredential>();
  if (const int err = acquire_anew(use, mechanism.get(), *acquired, reason); err != 0) return err;
  credential = acquired;
  // Others change caches and keytabs; only what the KDC was asked for is kept.
  const bool has_asked = source_ == Source::password || (source_ == Source::keytab && use == Use::initiate);
  if (!has_asked) return 0;
  OM_uint32 minor = 0;
  OM_uint32 lifetime = 0;
  if (GSS_ERROR(gss_inquire_cred(&minor, acquired->get(), nullptr, &lifetime, nullptr, nullptr))) return 0;
  kept_ = std::move(acquired);
  kept_for_ = wanted;
  kept_until_ = std::chrono::steady_clock::now() + std::chrono::seconds(lifetime) - renewal_margin;
  return 0;
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

}  // namespace tsock::gssapi
