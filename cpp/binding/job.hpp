// Job: an asyncio.Future that owns a coroutine and steps it when the pool gives it a slot.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "binding/lineage.hpp"
#include "binding/pool.hpp"
#include "binding/python.hpp"
#include "binding/state.hpp"
#include "core/entry.hpp"

namespace nbaio {

/// What a job's `sink` is: a future= that was given, a ThreadFuture, or a Batch.
enum class SinkKind : std::uint8_t { future, thread, batch };

/// Marks of Entry::kind.
enum EntryKind : std::uint8_t { job_entry, turn_entry };

/// What only some jobs need, most of them only from their first step on: it is kept apart, so that a job that waits is
/// small. A job that has begun and not ended has it.
struct JobDetails {
    Dealings dealings;  // first: what an entry has a pointer to
    /// Before the job is accepted: the future that its producer waits for. Once it runs: the future that it waits for.
    PyObject* waits_on = nullptr;
    PyObject* thrown =
        nullptr;  // what the next step throws into the coroutine; in the end, the error it was cancelled with
    PyObject* sink = nullptr;  // what gets the outcome as well, see SinkKind
    PyObject* name = nullptr;  // null: made of the number
    PyObject* cancel_message = nullptr;
    std::uint32_t cancels_requested = 0;
};

/// The fields of a Job behind those of its base. The base's C struct is private to CPython and its size differs from
/// version to version, so a Job is handled through this struct and self(). Its size is what a queue of a million jobs is
/// made of.
struct Job {
    Entry entry;  // its loan is the first part of the JobDetails
    /// The pool, which is owned, until the job has ended; then the state, marked by a bit.
    std::uintptr_t home;
    PyObject* coro;     // kept after the end, as a Task does
    PyObject* context;  // see own_context
    std::uint64_t number : 48;
    bool shares_context : 1;  // the context is a snapshot that other jobs have as well
    bool must_cancel : 1;     // the next step raises CancelledError
    bool stepping : 1;        // the coroutine executes, or what it yielded is being looked at
    bool registered : 1;      // in asyncio.all_tasks (debug mode)
    bool accepted : 1;        // by the pool, at some time
    bool succeeded : 1;       // it has ended, with a result
    bool step_due : 1;        // the loop has been asked to make its next step
    bool woken : 1;           // what it waited for is done; it waits for a slot to go on
    bool sink_gave_up : 1;    // its future= was cancelled while it stood in line
    SinkKind sink_kind : 2;

    /// Where the fields are in a Job: the same in every interpreter.
    static inline std::atomic<std::ptrdiff_t> offset{0};

    [[nodiscard]] PyObject* self() const noexcept {
        const auto* fields = reinterpret_cast<const char*>(this);
        return reinterpret_cast<PyObject*>(const_cast<char*>(fields - offset.load(std::memory_order_relaxed)));
    }
    /// Null once the job has ended.
    // NOLINTBEGIN(performance-no-int-to-ptr): one word for either pointer, and which of them it is.
    [[nodiscard]] PoolObject* pool() const noexcept {
        return (home & ended_mark) == 0 ? reinterpret_cast<PoolObject*>(home) : nullptr;
    }
    [[nodiscard]] State* state() const noexcept {
        return (home & ended_mark) == 0 ? reinterpret_cast<PoolObject*>(home)->state
                                        : reinterpret_cast<State*>(home & ~ended_mark);
    }
    // NOLINTEND(performance-no-int-to-ptr)
    /// Takes the reference to the pool. Requires: nobody else has the job, or the caller holds it: see hold_pool_of.
    [[nodiscard]] Ref leave_pool() noexcept {
        Ref left = Ref::own(as_object(pool()));
        home = reinterpret_cast<std::uintptr_t>(state()) | ended_mark;
        return left;
    }

    /// Null if there are none.
    [[nodiscard]] JobDetails* details() const noexcept { return reinterpret_cast<JobDetails*>(entry.loan); }
    /// To look at only.
    [[nodiscard]] const JobDetails& seen() const noexcept {
        static constexpr JobDetails none{};
        return entry.loan != nullptr ? *details() : none;
    }
    /// Takes what is in a field of the details, if there are any.
    // NOLINTNEXTLINE(readability-make-member-function-const): it changes what belongs to the job.
    [[nodiscard]] Ref take(PyObject* JobDetails::* field) noexcept {
        return entry.loan != nullptr ? Ref::own(std::exchange(details()->*field, nullptr)) : Ref();
    }

private:
    static constexpr std::uintptr_t ended_mark = 1;
};

/// Requires: `self` is a Job.
inline Job* job_of(PyObject* self) noexcept {
    return reinterpret_cast<Job*>(reinterpret_cast<char*>(self) + Job::offset.load(std::memory_order_relaxed));
}

inline Job* job_of(Entry& entry) noexcept { return reinterpret_cast<Job*>(&entry); }

/// The pool of a job, which another thread may take out of it at any time. Null once the job has ended.
inline Ref hold_pool_of(PyObject* self) noexcept {
    const Exclusive exclusive(self);
    return Ref::share(as_object(job_of(self)->pool()));
}

/// As Exclusive, for what belongs to a job: to the pool that it is in; once it has ended, to itself.
class JobExclusive {
public:
    explicit JobExclusive(PyObject* self) noexcept
        : pool_(hold_pool_of(self)), exclusive_(pool_ ? pool_.get() : self) {}
    JobExclusive(const JobExclusive&) = delete;
    JobExclusive& operator=(const JobExclusive&) = delete;
    ~JobExclusive() = default;

private:
    Ref pool_;
    Exclusive exclusive_;
};

/// Makes sure that a job has details. Requires: it has not ended. Guarantees: false with MemoryError set.
bool have_details(Job* job) noexcept;

/// Frees the details of a job that has ended, unless there is something in them to be asked for. `pool` may keep the
/// memory; null: none does.
void drop_details(Job* job, PoolObject* pool) noexcept;

/// Gives a job that shares its context a copy of its own, before anybody can change it. Guarantees: false with
/// MemoryError set.
bool own_context(Job* job) noexcept;

/// Whether a job, or turn, has begun and not ended.
inline bool has_begun(const Entry& entry) noexcept { return entry.place >= Place::ready; }

/// Whether it has begun, and executes or waits for something.
inline bool is_under_way(const Entry& entry) noexcept { return entry.place >= Place::running; }

/// Whether it is not accepted yet.
inline bool is_outside_door(const Entry& entry) noexcept {
    return entry.place == Place::line || entry.place == Place::granted;
}

/// What its producer gets: the job itself, or its future=.
inline PyObject* answer_of(PyObject* job) noexcept {
    const Job* it = job_of(job);
    PyObject* sink = it->seen().sink;
    return sink != nullptr && it->sink_kind == SinkKind::future ? sink : job;
}

/// Makes the type. Guarantees: null with an exception set on failure.
PyTypeObject* make_job_type(State* state) noexcept;

/// Where a new Future keeps its loop, if that is all that sets it apart from zeroed memory; else 0. Then a job can be
/// made without a call of Future.__init__, which parses keywords and asks the loop whether it is in debug mode: a fifth of
/// the price of a submit. Looked at, not assumed: another layout, or a traceback kept for debugging, means the slow way.
Py_ssize_t find_loop_offset(State* state, PyObject* loop_keyword, PyObject* loop) noexcept;

/// A new job, outside of the pool. `sink` may be null.
Ref new_job(PoolObject* pool, PyObject* coro, PyObject* sink) noexcept;

// -- Steps (job_step.cpp) -------------------------------------------------------------------------------------------

/// Makes the next step of the coroutine, in the job's context. Requires: the job runs; the caller keeps it alive.
/// Afterwards the job has ended, waits, or is ready for its next step. Guarantees: false only with KeyboardInterrupt or
/// SystemExit set, which is for the loop's caller.
bool step_job(Job* job) noexcept;

/// The same for a caller that is not in the job's context.
bool step_in_context(Job* job) noexcept;

/// Lets the job have its next step once the loop's other callbacks had their turn.
void want_step(Job* job) noexcept;

/// To be called when a pass is over: no task of the loop is current then.
void forget_current_task(PoolObject* pool, PyObject* loop) noexcept;

/// Has a job no longer wait for a future. Guarantees: false with an exception set.
bool stop_waiting(Job* job, PyObject* future) noexcept;

// -- Ends (job_end.cpp) ---------------------------------------------------------------------------------------------

/// End a job that was accepted. The pool's counts are right before any other code runs.
void end_with_result(Job* job, PyObject* result) noexcept;
void end_with_exception(Job* job, PyObject* exception) noexcept;
/// `error` is the CancelledError that the coroutine ended with; null if it did not raise one.
void end_cancelled(Job* job, PyObject* message, Ref error) noexcept;

/// Ends a job that never began, and that the pool does not hold any more: it was counted as cancelled.
void end_dropped(Job* job, PyObject* message) noexcept;

/// Ends a job that cannot make its step, with the exception that is set. Requires: it was accepted.
void fail_job(Job* job) noexcept;

/// As Task.cancel. Guarantees: 1 or 0; -1 with an exception set.
int cancel_job(Job* job, PyObject* message) noexcept;

/// Cancels a job although what it waits for does not let itself be cancelled: it waits no longer.
void cancel_by_force(Job* job) noexcept;

/// Passes a cancellation on to the future that the job waits for. Guarantees: as cancel_job.
int cancel_waited(Job* job) noexcept;

/// Takes a job that is not accepted yet out of the line, and refuses it.
void leave_line(Job* job) noexcept;

/// Undoes the acceptance of a job that has not begun, and refuses it.
void take_back_job(Job* job) noexcept;

/// Settles the future of a job that was never accepted and closes its coroutine. Requires: the job is outside.
/// `exception` is what its future fails with; null: it is cancelled.
void refuse_job(Job* job, PyObject* exception) noexcept;

/// Ends a job that no loop will run any more: closes its coroutine, reports nothing. Requires: it was accepted.
void abandon_job(Job* job) noexcept;

/// CancelledError, with the message of the request to cancel. Null with another exception set on failure.
Ref new_cancelled_error(State* state, PyObject* message) noexcept;

/// Makes the job be cancelled when its `future=` is. Guarantees: false with an exception set.
bool watch_sink(Job* job) noexcept;

}  // namespace nbaio
