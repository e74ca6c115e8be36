#include "tls_report.hpp"

#include <array>
#include <cstddef>
#include <cstdio>

namespace tsock_cat {
namespace {

void add_line(std::string& text, std::string_view indent, std::string_view label, std::string_view value) {
  if (value.empty()) return;
  text.append(indent).append(label);
  text.append(label.size() < 14 ? 14 - label.size() : 1, ' ').append(value).append("\n");
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : ", ").append(word);
  return text;
}

std::string verdict(const TlsReport& report) {
  if (report.chain.empty()) return report.is_verified ? "verified" : "";
  if (report.is_verified) return "verified";
  return "NOT verified" + (report.verification.empty() ? "" : ": " + report.verification);
}

std::string age(const TlsCertificate& certificate, std::chrono::sys_seconds now) {
  if (now > certificate.not_after) return " (expired)";
  if (now < certificate.not_before) return " (not yet valid)";
  const auto days = std::chrono::floor<std::chrono::days>(certificate.not_after - now).count();
  return " (" + std::to_string(days) + (days == 1 ? " day left)" : " days left)");
}

void add_certificate(std::string& text, const TlsCertificate& certificate, std::chrono::sys_seconds now) {
  constexpr std::string_view indent = "     ";
  add_line(text, indent, "issuer", certificate.issuer);
  add_line(text, indent, "names", joined(certificate.names));
  add_line(text, indent, "valid",
           "from " + time_text(certificate.not_before) + " to " + time_text(certificate.not_after) +
               age(certificate, now));
  add_line(text, indent, "serial", certificate.serial);
  add_line(text, indent, "key", certificate.key);
  add_line(text, indent, "signature", certificate.signature);
  add_line(text, indent, "pin", certificate.pin);
}

}  // namespace

std::string time_text(std::chrono::sys_seconds time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02u %02d:%02d:%02d UTC", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text.data();
}

std::string printable(std::string_view text) {
  constexpr std::string_view hex_values = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += hex_values[byte >> 4U];
      out += hex_values[byte & 15U];
    }
  }
  return out;
}

std::string summary(const TlsReport& report) {
  std::string text = report.version + ", " + report.cipher;
  if (!report.group.empty()) text += ", " + report.group;
  if (!report.alpn.empty()) text += ", ALPN " + report.alpn;
  if (report.is_resumed) text += ", resumed";
  if (!report.psk_identity.empty()) text += ", pre-shared key of " + report.psk_identity;
  if (!report.chain.empty()) {
    const std::string& subject = report.chain.front().subject;
    text += ", certificate of " + (subject.empty() ? "nobody" : subject) + " " + verdict(report);
  }
  return text;
}

std::string details(const TlsReport& report, std::chrono::sys_seconds now) {
  constexpr std::string_view indent = "  ";
  std::string text;
  add_line(text, indent, "version", report.version);
  add_line(text, indent, "cipher", report.cipher);
  add_line(text, indent, "group", report.group);
  add_line(text, indent, "ALPN", report.alpn.empty() ? "none" : report.alpn);
  add_line(text, indent, "server name", report.server_name);
  add_line(text, indent, "session", report.is_resumed ? "resumed" : "new");
  add_line(text, indent, "PSK identity", report.psk_identity);
  add_line(text, indent, "certificate", report.chain.empty() ? "none" : verdict(report));
  for (std::size_t i = 0; i < report.chain.size(); ++i) {
    const std::string& subject = report.chain[i].subject;
    text += "  " + std::to_string(i) + ": " + (subject.empty() ? "(no subject)" : subject) + "\n";
    add_certificate(text, report.chain[i], now);
  }
  return text;
}

}  // namespace tsock_cat
