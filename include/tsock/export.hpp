#pragma once

#if defined(_MSVC_LANG) ? _MSVC_LANG <= 201703L : __cplusplus <= 201703L
#error "tsock needs C++20: compile with -std=c++20 or newer (CMake: target_compile_features(... cxx_std_20))"
#elif defined(__GNUC__) && !defined(__cpp_exceptions)
#error "tsock needs exceptions: compile without -fno-exceptions"
#endif

/// Marks what a shared tsock exports: the public interface, and of `tsock::detail` what inline functions and
/// templates in public headers call. Everything else is hidden, so that it cannot clash with other names or
/// be relied on.
#if defined(_WIN32)
#define TSOCK_EXPORT
#else
#define TSOCK_EXPORT [[gnu::visibility("default")]]
#endif
