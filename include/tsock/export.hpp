#pragma once

/// Marks what a shared tsock exports: the public interface, and of `tsock::detail` what inline functions and
/// templates in public headers call. Everything else is hidden, so that it cannot clash with other names or
/// be relied on.
#if defined(_WIN32)
#define TSOCK_EXPORT
#else
#define TSOCK_EXPORT [[gnu::visibility("default")]]
#endif
