// A ticket without a KDC: whoever has the key of a service can write one for it. Credentials of both sides
// are in memory.
#pragma once

#include <krb5.h>

#include <cstdlib>
#include <ctime>

// libkrb5 exports these, for KDCs, and declares them nowhere.
extern "C" {
krb5_error_code krb5_encrypt_tkt_part(krb5_context context, const krb5_keyblock* key, krb5_ticket* ticket);
krb5_error_code encode_krb5_ticket(const krb5_ticket* ticket, krb5_data** bytes);
}

namespace tsock::fuzz {

/// Of alice@FUZZ.TEST for `target`. To be made before the first call of GSSAPI: it sets the environment.
class ForgedTicket {
 public:
  static constexpr const char* target = "fuzz/localhost@FUZZ.TEST";
  static constexpr const char* ccache = "MEMORY:tsock-fuzz";
  static constexpr const char* keytab = "MEMORY:tsock-fuzz";

  ForgedTicket() {
    ::setenv("KRB5_CONFIG", "/dev/null", 1);
    ::setenv("KRB5RCACHENAME", "none:", 1);
    require(krb5_init_context(&context_));
    krb5_principal client = nullptr;
    krb5_principal server = nullptr;
    require(krb5_parse_name(context_, "alice@FUZZ.TEST", &client));
    require(krb5_parse_name(context_, target, &server));
    krb5_keyblock server_key{};
    krb5_keyblock session_key{};
    require(krb5_c_make_random_key(context_, ENCTYPE_AES256_CTS_HMAC_SHA1_96, &server_key));
    require(krb5_c_make_random_key(context_, ENCTYPE_AES256_CTS_HMAC_SHA1_96, &session_key));

    require(krb5_kt_resolve(context_, keytab, &keytab_));
    krb5_keytab_entry entry{};
    entry.principal = server;
    entry.vno = 1;
    entry.key = server_key;
    require(krb5_kt_add_entry(context_, keytab_, &entry));

    constexpr krb5_timestamp hours = 24 * 3600;
    const auto begin = static_cast<krb5_timestamp>(std::time(nullptr));
    krb5_enc_tkt_part part{};
    part.flags = TKT_FLG_INITIAL;
    part.session = &session_key;
    part.client = client;
    part.times = {begin, begin, begin + hours, 0};
    krb5_ticket ticket{};
    ticket.server = server;
    ticket.enc_part.kvno = 1;
    ticket.enc_part2 = &part;
    require(krb5_encrypt_tkt_part(context_, &server_key, &ticket));
    krb5_data* bytes = nullptr;
    require(encode_krb5_ticket(&ticket, &bytes));

    krb5_creds credentials{};
    credentials.client = client;
    credentials.server = server;
    credentials.keyblock = session_key;
    credentials.times = part.times;
    credentials.ticket_flags = part.flags;
    credentials.ticket = *bytes;
    require(krb5_cc_resolve(context_, ccache, &cache_));
    require(krb5_cc_initialize(context_, cache_, client));
    require(krb5_cc_store_cred(context_, cache_, &credentials));

    krb5_free_data(context_, bytes);
    krb5_free_data_contents(context_, &ticket.enc_part.ciphertext);
    krb5_free_keyblock_contents(context_, &server_key);
    krb5_free_keyblock_contents(context_, &session_key);
    krb5_free_principal(context_, client);
    krb5_free_principal(context_, server);
  }
  ForgedTicket(const ForgedTicket&) = delete;
  ForgedTicket& operator=(const ForgedTicket&) = delete;
  ~ForgedTicket() {
    krb5_kt_close(context_, keytab_);
    krb5_cc_destroy(context_, cache_);
    krb5_free_context(context_);
  }

 private:
  static void require(krb5_error_code err) {
    if (err != 0) std::abort();
  }

  krb5_context context_ = nullptr;
  krb5_keytab keytab_ = nullptr;
  krb5_ccache cache_ = nullptr;
};

}  // namespace tsock::fuzz
