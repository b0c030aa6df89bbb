// Whether a loop is the one that runs in this thread: asked at every call of the pool, so it must be cheap.
#pragma once

#include "binding/python.hpp"
#include "binding/state.hpp"

namespace nbaio {

/// Remembers how asyncio noted that a loop runs, where asking asyncio is slow: up to 3.11 each question is a system call
/// (getpid), a third of the price of a whole job. asyncio makes a new note whenever a loop starts to run in a thread, so
/// the same note means the same loop.
class RunningLoop {
public:
    /// Guarantees: true only if `loop` runs in this thread, and the question was answered before.
    [[nodiscard]] bool is_known([[maybe_unused]] const State* state) const noexcept {
#if PY_VERSION_HEX < 0x030C0000
        return note_ != nullptr && forks_ == forks_so_far() && current_note(state) == note_;
#else
        return false;
#endif
    }

    /// Requires: the loop that the owner is bound to was found to run in this thread.
    void remember([[maybe_unused]] const State* state) noexcept {
#if PY_VERSION_HEX < 0x030C0000
        PyObject* note = new_ref(current_note(state));
        PyObject* old = std::exchange(note_, note);
        Py_XDECREF(old);
        forks_ = forks_so_far();
#endif
    }

    /// For the garbage collector: the note owns the loop, but cannot be traversed. Guarantees: true if it is ours alone.
    [[nodiscard]] bool owns_loop() const noexcept {
#if PY_VERSION_HEX < 0x030C0000
        return note_ != nullptr && Py_REFCNT(note_) == 1;
#else
        return false;
#endif
    }

    void forget() noexcept {
#if PY_VERSION_HEX < 0x030C0000
        PyObject* old = std::exchange(note_, nullptr);
        Py_XDECREF(old);
#endif
    }

private:
#if PY_VERSION_HEX < 0x030C0000
    static PyObject* current_note(const State* state) noexcept;
    static unsigned forks_so_far() noexcept;

    PyObject* note_ = nullptr;
    unsigned forks_ = 0;
#endif
};

}  // namespace nbaio
