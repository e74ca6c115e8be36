#pragma once

#include <signal.h>

#include <memory>
#include <string>
#include <string_view>
#include <tsock/unique_socket.hpp>
#include <vector>

#include "support/process.hpp"

namespace tsock::test {

/// A KDC of the realm TSOCK.TEST for one test program, in files of its own. The environment of the process
/// points at it: KRB5_CONFIG, KRB5CCNAME with a forwardable ticket of alice, KRB5_KTNAME with the keys of
/// gsstest, host and ldap at localhost. Further realms: SILENT.TEST, whose KDC takes connections and says
/// nothing, HELD.TEST, whose KDC is the test itself, and ABSENT.TEST, whose KDC is not there.
class Kdc {
 public:
  static constexpr std::string_view alices_password = "alicepw";

  /// Whether there are MIT's programs; says nothing.
  [[nodiscard]] static bool is_installed();
  /// The one of this program, started by the first call. Null, after saying that the test is skipped, where
  /// MIT's programs are not installed.
  [[nodiscard]] static Kdc* get();
  Kdc(const Kdc&) = delete;
  Kdc& operator=(const Kdc&) = delete;
  ~Kdc() = default;

  /// A path in its folder. There are: cc, server.keytab, alice.keytab, stale.keytab (an old key of gsstest),
  /// other.keytab (no key of gsstest).
  [[nodiscard]] std::string file(std::string_view name) const { return folder_.file(name); }
  /// Gets a ticket with a password, and gives the name of its new cache. \param options of kinit
  [[nodiscard]] std::string ticket(const std::string& principal, std::string_view password,
                                   std::vector<std::string> options = {});
  /// While it lives, the KDC takes connections and answers nothing; then it goes on.
  class Pause {
   public:
    explicit Pause(const Kdc& kdc) : kdc_(kdc) { kdc_.process_->kill(SIGSTOP); }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;
    ~Pause() { kdc_.process_->kill(SIGCONT); }

   private:
    const Kdc& kdc_;
  };
  /// While it lives, the KDC is not there: it was killed. Then there is another one, with the same database.
  class Outage {
   public:
    explicit Outage(Kdc& kdc) : kdc_(kdc) { kdc_.process_.reset(); }
    Outage(const Outage&) = delete;
    Outage& operator=(const Outage&) = delete;
    ~Outage() { kdc_.start(); }

   private:
    Kdc& kdc_;
  };
  /// Waits for a connection to the KDC of HELD.TEST, whose requests come behind four bytes of length.
  [[nodiscard]] UniqueSocket next_held() const;

  /// The program's output, after it has ended with 0.
  static std::string run(std::vector<std::string> words, std::string_view input = {});

 private:
  Kdc();
  void write_files();
  void start();
  [[nodiscard]] bool answers() const;

  TemporaryFolder folder_;
  unsigned port_ = 0;
  UniqueSocket silent_;
  UniqueSocket held_;
  std::unique_ptr<Process> process_;
  unsigned tickets_ = 0;
};

}  // namespace tsock::test
