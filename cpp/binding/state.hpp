// What one interpreter's copy of the module holds: interned names, asyncio's callables, and the types.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "binding/job_memory.hpp"
#include "binding/python.hpp"

namespace nbaio {

/// Counts who has a share in something that goes with the last of them. The first share is there from the beginning.
class Shares {
public:
#ifdef Py_GIL_DISABLED
    void add() noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
    /// Guarantees: true if that was the last one.
    [[nodiscard]] bool take() noexcept { return count_.fetch_sub(1, std::memory_order_acq_rel) == 1; }

private:
    std::atomic<std::size_t> count_{1};
#else
    void add() noexcept { ++count_; }
    /// Guarantees: true if that was the last one.
    [[nodiscard]] bool take() noexcept { return --count_ == 0; }

private:
    std::size_t count_ = 1;
#endif
};

/// Lives as long as the types that refer to it (each keeps the capsule that has a share in it), and as any pool or job:
/// when all is garbage together, at the interpreter's exit above all, the types let go of it first. No field but the last
/// three changes after the import.
struct State {
    static constexpr const char* capsule_name = "nb_aiopool._core.state";

    // The types.
    PyTypeObject* job_type = nullptr;
    PyTypeObject* turn_type = nullptr;
    PyTypeObject* arrival_type = nullptr;
    PyTypeObject* batch_type = nullptr;
    PyTypeObject* pool_type = nullptr;
    PyTypeObject* lineage_type = nullptr;
    PyTypeObject* thread_outcome_type = nullptr;

    // The base of Job, and what it does under the names that Job overrides.
    PyTypeObject* future_type = nullptr;
    Ref future_add_done_callback;
    Ref future_set_result;
    Ref future_set_exception;
    Ref future_cancel;
    Ref future_result;
    Ref future_exception;
    Ref future_cancelled_error;  // Future._make_cancelled_error; null on 3.8

    // asyncio.
    Ref task_type;
    Ref get_running_loop;
    Ref current_task;
    Ref current_tasks;      // asyncio's dictionary of loops and their current tasks; null where there is none
    Ref swap_current_task;  // null where there is that dictionary
    Ref register_task;
    Ref unregister_task;
    Ref cancelled_error;
    Ref invalid_state_error;
    Ref gathering_type;  // what gather() returns

    // The package's own Python side.
    Ref pool_full;
    Ref pool_stopped;
    Ref wrap_awaitable;
    Ref await_after_raising;
    Ref coroutine_abc;
    Ref deque_type;
    Ref make_guard;
    Ref describe_job;
    Ref job_stack;
    Ref print_job_stack;
    Ref leads_to;
    Ref new_batch_waiter;
    Ref new_loop_ended_error;
    Ref new_loop_ends_error;

    // The context variable that holds the Lineage.
    Ref lineage_variable;
    Py_ssize_t context_variables_offset = 0;  // see find_variables_offset

    // Interned names, and the 1-tuples of keyword names.
    Ref add_done_callback, append, call_exception_handler, call_later, call_soon, call_soon_threadsafe, cancel,
        cancelled, children, close, create_future, done, exception, future_blocking, finished, get_debug, get_loop,
        is_closed, log_traceback, loop, popleft, private_loop, ready, remove_done_callback, result, running_loop_note,
        send, set_exception, set_result, task_factory, thread_cancelled, thread_failed, thread_mark, thread_succeeded,
        throw_name;
    Ref context_keyword;
    Ref message_keyword;
    Ref empty_tuple;

    std::atomic<std::uint64_t> jobs_made{0};
    JobMemory job_memory;
    Shares shares;

    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    /// For as long as whoever calls it has a share.
    void retain() noexcept { shares.add(); }
    /// Gives a share back. Requires: nothing of the state is used afterwards.
    void release() noexcept {
        if (shares.take()) delete this;
    }

    /// Guarantees: false with a Python exception set if asyncio is not what this module was built against.
    bool load() noexcept;

private:
    ~State();
};

/// Makes the types and adds them to the module. Requires: `owner` is the capsule that owns the state.
bool add_types(State* state, PyObject* module, PyObject* owner) noexcept;

}  // namespace nbaio
