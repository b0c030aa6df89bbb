#include "binding/running_loop.hpp"

#include <atomic>

#if PY_VERSION_HEX < 0x030C0000 && !defined(_WIN32)
#include <pthread.h>
#endif

#if PY_VERSION_HEX < 0x030C0000
namespace nbaio {
namespace {

// A forked child inherits the note, but not the loop: asyncio says there that none runs.
std::atomic<unsigned> forks{0};

#ifndef _WIN32
[[maybe_unused]] const int at_fork = pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1); });
#endif

}  // namespace

PyObject* RunningLoop::current_note(const State* state) noexcept {
    PyObject* facts = PyThreadState_GetDict();
    return facts != nullptr ? PyDict_GetItemWithError(facts, state->running_loop_note.get()) : nullptr;
}

unsigned RunningLoop::forks_so_far() noexcept { return forks.load(std::memory_order_relaxed); }

}  // namespace nbaio
#endif
