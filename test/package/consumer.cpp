#include <cstdio>
#include <tsock/address.hpp>
#include <tsock/version.hpp>

int main() {
  int err = 0;
  const auto address = tsock::Address::inet_from_strings("ip", "127.0.0.1", 7000, err);
  if (err != 0) return 1;
  std::printf("tsock %.*s: %s\n", static_cast<int>(tsock::version.size()), tsock::version.data(),
              address.to_string().c_str());
}
