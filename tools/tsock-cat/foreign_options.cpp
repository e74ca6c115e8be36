#include <CLI/CLI.hpp>
#include <array>

#include "option_group.hpp"

namespace tsock_cat {
namespace {

// An option that nc, ncat or socat has under this name, and what to write here.
struct ForeignOptionAdvice {
  const char* names;
  const char* advice;
};

// What has another meaning in two of them is told for both.
constexpr std::array foreign_options_known{
    ForeignOptionAdvice{"-e,--exec", "a program is an ADDRESS here: 'exec:PROGRAM ARGUMENTS'"},
    ForeignOptionAdvice{
        "-c,--sh-exec",
        "a program is an ADDRESS here: 'exec:/bin/sh -c \"COMMAND\"' (-C is CRLF, TLS is tls://)"},
    ForeignOptionAdvice{"--lua-exec", "a program is an ADDRESS here: 'exec:lua FILE'"},
    ForeignOptionAdvice{"-x", "nc's proxy is --proxy here, ncat's and socat's hexdump is --hex"},
    ForeignOptionAdvice{"-X,--proxy-type",
                        "the kind of proxy is in --proxy here: socks5://HOST:PORT or http://HOST:PORT"},
    ForeignOptionAdvice{"-P", "nc's user for the proxy is --proxy-auth here"},
    ForeignOptionAdvice{"-o,--output,--hex-dump,--append-output",
                        "a transcript is --hex, --text or --dump FILE here"},
    ForeignOptionAdvice{"-r,-R", "socat's transcript is --dump FILE here; ports are always tried in order"},
    ForeignOptionAdvice{
        "-d", "nc's \"no standard input\" is --recv-only here, ncat's delay is --rate, socat's report -v"},
    ForeignOptionAdvice{"-D,-S", "there is no such socket option here"},
    ForeignOptionAdvice{"-t,--telnet", "there is no telnet here; socat's time after the end is -q"},
    ForeignOptionAdvice{"-T", "socat's idle timeout is -i here; there is no type of service"},
    ForeignOptionAdvice{"-m", "ncat's limit on clients is --max-conns here, nc's hops of groups --mcast-ttl"},
    ForeignOptionAdvice{"-M", "nc's hops of groups are --mcast-ttl here"},
    ForeignOptionAdvice{"-I,-O", "buffers of the kernel are as the system has them"},
    ForeignOptionAdvice{"-F", "nc's passing of descriptors is not here"},
    ForeignOptionAdvice{"--ssl", "TLS is in the ADDRESS here: tls://HOST:PORT, tls-listen://:PORT"},
    ForeignOptionAdvice{"--ssl-verify", "tls:// always verifies the server, unless --insecure is given"},
    ForeignOptionAdvice{"--ssl-cert", "a certificate is --tls-cert FILE here"},
    ForeignOptionAdvice{"--ssl-key", "a key is --tls-key FILE here"},
    ForeignOptionAdvice{"--ssl-trustfile", "whom to trust is --tls-ca FILE here"},
    ForeignOptionAdvice{"--ssl-ciphers", "ciphers are --tls-ciphers and --tls-suites here"},
    ForeignOptionAdvice{"--ssl-servername", "the name to ask for is --tls-sni here"},
    ForeignOptionAdvice{"--ssl-alpn", "protocols are --tls-alpn here"},
    ForeignOptionAdvice{
        "--broker,--chat",
        "with -k each client is heard and standard input goes to all; they do not hear each other"},
    ForeignOptionAdvice{"--allow,--allowfile,--deny,--denyfile",
                        "who may connect is for the firewall to say"},
    ForeignOptionAdvice{"--sctp,--vsock", "there is no such transport here"},
    ForeignOptionAdvice{"--nodns", "write -n"},
    ForeignOptionAdvice{"--wait", "the limit on connecting is -w here"},
    ForeignOptionAdvice{"--delay", "write --rate BYTES"},
};

void add_foreign_options(CLI::App& app, Options& /*options*/) {
  for (const ForeignOptionAdvice& each : foreign_options_known) {
    const std::string names = each.names;
    app.add_flag_function(
        names,
        [names, &each](std::int64_t) {
          throw CLI::ValidationError(names, std::string("not an option of tsock-cat: ") + each.advice);
        },
        "");
  }
}

}  // namespace

const OptionGroup foreign_options{"", add_foreign_options, nullptr};

}  // namespace tsock_cat
