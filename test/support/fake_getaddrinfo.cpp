#include "support/fake_getaddrinfo.hpp"

#include <dlfcn.h>
#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

namespace tsock::test {

namespace {

struct Plan {
  std::vector<std::string> addresses = {};
  int code = 0;
  int system_error = 0;
  bool stuck = false;
};

struct Plans {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, Plan, std::less<>> plans;
  int stuck = 0;
  int lookups = 0;
  bool open = false;
};

Plans& plans() {
  // Never destroyed: a thread may be stuck in it when the program ends.
  static Plans& instance = *new Plans;
  return instance;
}

using Getaddrinfo = int (*)(const char*, const char*, const addrinfo*, addrinfo**);

Getaddrinfo system_getaddrinfo() {
  static const auto function = reinterpret_cast<Getaddrinfo>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return function;
}

int answer(const Plan& plan, const char* service, const addrinfo* hints, addrinfo** result) {
  if (plan.code != 0) {
    errno = plan.system_error;
    return plan.code;
  }
  addrinfo numeric = *hints;
  numeric.ai_flags |= AI_NUMERICHOST;
  addrinfo** end = result;
  int code = EAI_NONAME;
  for (const std::string& address : plan.addresses) {
    if (const int err = system_getaddrinfo()(address.c_str(), service, &numeric, end); err != 0) {
      if (err != EAI_ADDRFAMILY && err != EAI_NONAME) code = err;
      continue;
    }
    while (*end != nullptr) end = &(*end)->ai_next;
  }
  return end != result ? 0 : code;
}

}  // namespace

FakeNames::FakeNames() {
  Plans& all = plans();
  const std::lock_guard lock(all.mutex);
  all.plans.clear();
  all.lookups = 0;
  all.open = false;
}

FakeNames::~FakeNames() {
  let_go();
  Plans& all = plans();
  std::unique_lock lock(all.mutex);
  all.changed.wait(lock, [&all] { return all.stuck == 0; });
}

void FakeNames::add(std::string name, std::vector<std::string> addresses) {
  Plans& all = plans();
  const std::lock_guard lock(all.mutex);
  all.plans[std::move(name)] = Plan{.addresses = std::move(addresses)};
}

void FakeNames::fail(std::string name, int code, int system_error) {
  Plans& all = plans();
  const std::lock_guard lock(all.mutex);
  all.plans[std::move(name)] = Plan{.code = code, .system_error = system_error};
}

void FakeNames::get_stuck(std::string name) {
  Plans& all = plans();
  const std::lock_guard lock(all.mutex);
  all.plans[std::move(name)] = Plan{.addresses = {"127.0.0.1"}, .stuck = true};
}

void FakeNames::let_go() {
  Plans& all = plans();
  const std::lock_guard lock(all.mutex);
  all.open = true;
  all.changed.notify_all();
}

void FakeNames::wait_for_stuck(int count) {
  Plans& all = plans();
  std::unique_lock lock(all.mutex);
  all.changed.wait(lock, [&] { return all.stuck >= count; });
}

int FakeNames::lookups() const {
  Plans& all = plans();
  const std::lock_guard lock(all.mutex);
  return all.lookups;
}

}  // namespace tsock::test

// Stands in front of the C library's for this program, and so for libuv in it.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** result) {
  using namespace tsock::test;
  if (node == nullptr || !std::string_view(node).ends_with(".fake"))
    return system_getaddrinfo()(node, service, hints, result);
  *result = nullptr;
  Plan plan;
  {
    Plans& all = plans();
    std::unique_lock lock(all.mutex);
    ++all.lookups;
    const auto found = all.plans.find(std::string_view(node));
    if (found == all.plans.end()) return EAI_NONAME;
    plan = found->second;
    if (plan.stuck) {
      ++all.stuck;
      all.changed.notify_all();
      all.changed.wait(lock, [&all] { return all.open; });
      --all.stuck;
      all.changed.notify_all();
    }
  }
  return answer(plan, service, hints, result);
}
