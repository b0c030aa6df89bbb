// Turn: what `await pool.run(...)` waits on when the job could not finish at once.
#pragma once

#include <cstddef>

#include "binding/lineage.hpp"
#include "binding/python.hpp"
#include "binding/state.hpp"
#include "core/entry.hpp"

namespace nbaio {

struct PoolObject;

/// An iterator for `await`. It drives the coroutine itself, inside the caller's task and the job's own context, or it
/// stands for a Job that was queued. The caller's frame owns it: the pool's list of what runs only links it, and a
/// Turn that is dropped ends its job.
struct Turn {
    // clang-format off
    PyObject_HEAD
    // clang-format on
    Entry entry;
    PoolObject* pool;  // owned; null when ended
    PyObject* coro;
    PyObject* context;
    PyObject* yielded;  // what the coroutine waits for
    PyObject* job;      // instead of these three: the queued Job
    PyObject* task;     // 3.12 and later: the caller's task, to tell it from tasks that start eagerly inside it
    Dealings dealings;  // the lineage: once it has begun in a slot of its own
    bool begun;
    bool woken;        // what it waited for is done; it waits for a slot to go on
    bool guest;        // it uses the slot of the job that runs it
    bool delivered;    // `yielded` was handed on to the caller's task
    bool driven;       // the coroutine executes
    bool must_cancel;  // the next step raises CancelledError
};

PyTypeObject* make_turn_type(State* state) noexcept;

/// Requires: the entry is part of a Turn.
inline Turn* turn_of(Entry& entry) noexcept {
    return reinterpret_cast<Turn*>(reinterpret_cast<char*>(&entry) - offsetof(Turn, entry));
}

/// Runs a coroutine at once, in the caller's task, if the pool can_begin(), or as a guest in the slot of the job that
/// executes. `wrap`: it is an awaitable that is not a coroutine. `rest`: gives way to the loop first.
/// Guarantees: the result; or a Turn to await; or null with the job's exception set; or null and no exception, and
/// nothing done, if the slot was taken by code that ran meanwhile.
PyObject* run_now(PoolObject* pool, PyObject* awaitable, bool wrap, bool rest, bool as_guest) noexcept;

/// A Turn that awaits a Job, and cancels it when it is dropped.
Ref turn_for_job(PoolObject* pool, PyObject* job) noexcept;

/// Raises CancelledError inside the turn's coroutine, at its `await`.
void cancel_turn(Turn* turn) noexcept;

/// Closes the coroutine of a turn that no loop will run any more. Requires: it was counted as ended.
void abandon_turn(Turn* turn) noexcept;

}  // namespace nbaio
