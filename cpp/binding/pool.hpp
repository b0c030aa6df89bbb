// The native side of NbAioPool: the admission state machine, bound to an event loop.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "binding/bell.hpp"
#include "binding/context_snapshot.hpp"
#include "binding/python.hpp"
#include "binding/running_loop.hpp"
#include "binding/spare_lineage.hpp"
#include "binding/state.hpp"
#include "core/admission.hpp"
#include "core/budget.hpp"

namespace nbaio {

struct Job;

struct Executing;

struct PoolObject {
    // clang-format off
    PyObject_HEAD
    // clang-format on
    State* state;
    Admission admission;
    Budget pass_budget;      // of the pump
    Budget producer_budget;  // of those who submit without giving way
    Bells bells;             // of threads whose jobs have ended in this pass
    PyObject* loop;          // the loop of the last use
    RunningLoop running_loop;
    PyObject* loop_keyword;  // {"loop": loop}, for Future.__init__
    PyObject* loop_queue;    // the callbacks that the loop runs next; null if it keeps them elsewhere
    Py_ssize_t loop_offset;  // see find_loop_offset
    PyObject* guard;         // what asyncio.all_tasks shows while the pool is busy
    PyObject* idle_waiters;  // dict of futures, or null
    PyObject* spare_turn;    // one Turn kept for the next run()
    PyObject* handle;        // see pool_ending
    SpareLineage spare_lineage;
    ContextSnapshot snapshot;  // of the context that jobs are submitted from
    void* spare_details;       // memory for the details of the next job
    Executing* executing;
    PyObject* loop_thread;  // of the last pass: a weak reference to its mark; null: there was none
    std::uint64_t loop_thread_id;
    std::uint64_t begun_before;  // this and the next: see the breaker in lending.cpp
    unsigned still_pauses;
    Py_ssize_t breaker_at;
    Budget breaker_budget;
    bool breaker_armed;
    bool breaker_looks;
    bool breaker_trusts;
    bool pump_scheduled;
    bool pump_is_spare;  // its callback is in the loop's queue, but the pass that it is for was made ahead of it
    bool pump_side;      // see PumpCallback
    bool in_pass;
    bool cancelling_all;
    bool line_waits;  // a job is being cancelled, perhaps with all others: the next pass lets in who gets its place
    bool loop_ends;   // the guard was cancelled, as at the loop's end, and the pool has not come to rest since
    bool debug;
    bool closed;
};

/// Marks what of this pool executes for the length of a block: a Job in its step, or a Turn that is driven.
/// Requires: both outlive the block.
struct Executing {
    Executing(PoolObject* its_pool, PyObject* it, Entry* its_holder, bool it_closes = false) noexcept
        : pool(its_pool), who(it), holder(its_holder), outer(its_pool->executing), closes(it_closes) {
        pool->executing = this;
        ++depth;
    }
    Executing(const Executing&) = delete;
    Executing& operator=(const Executing&) = delete;
    ~Executing() {
        pool->executing = outer;
        --depth;
    }

    /// How many of them there are in this thread, of any pools.
    static inline thread_local unsigned depth = 0;

    PoolObject* pool;
    PyObject* who;
    Entry* holder;     // who has the slot that it uses; null if that is not known
    Executing* outer;  // what it interrupted
    bool closes;       // it is a run() that was given up, whose coroutine is being closed
};

PyTypeObject* make_pool_type(State* state) noexcept;

// -- The loop (pool_loop.cpp) ---------------------------------------------------------------------------------------

/// Binds the pool to the running loop. Guarantees: false with RuntimeError set, and nothing changed, if there is no
/// running loop or the pool is busy in another one.
bool use_running_loop(PoolObject* pool) noexcept;

/// Binds the pool to a loop, whoever runs it. Guarantees: as above. Requires: the caller holds a reference to the loop.
bool use_loop(PoolObject* pool, PyObject* wanted) noexcept;

/// Whether a call that had the loop may go on: while it ran other code, another thread may have taken the idle pool to
/// its own loop. Guarantees: false with RuntimeError set. `loop` is compared only.
bool is_still_bound(PoolObject* pool, PyObject* loop) noexcept;

/// Takes the pool off its loop. Requires: it holds nothing.
void unbind(PoolObject* pool) noexcept;

/// Whether code of the pool executes, or it is in the middle of a pass, even if its last job has ended, and whatever its
/// loop says of itself. What cleans up after a run() that was left behind by a loop may use the pool in another one.
bool is_executing(const PoolObject* pool) noexcept;

/// Whether the caller runs on the loop that the pool is bound to. Never raises.
bool on_own_loop(PoolObject* pool) noexcept;

/// Whether the caller is code that a job of the pool executes.
bool is_inside(PoolObject* pool) noexcept;

/// The holder of the slot that the caller executes in, if it is such code. Null if not.
Entry* holder_inside(PoolObject* pool) noexcept;

/// Reports an error that has no caller to go to through the loop's exception handler. Requires: an exception is set.
void report(PoolObject* pool, const char* message, PyObject* object) noexcept;

/// If a KeyboardInterrupt is set, which came while the pool called its loop: takes it, and has it raised as soon as Python
/// code runs, as if it had come a little later. Guarantees: false, and nothing done, if not.
bool defer_interrupt() noexcept;

/// coro.close(); errors are reported.
void close_coroutine(PoolObject* pool, PyObject* coro) noexcept;

/// A list of the Jobs and Turns at some places. Null with an exception set on failure.
Ref objects_at(PoolObject* pool, std::initializer_list<Place> places) noexcept;

/// A list of all Jobs and Turns, first those that wait to come in, then those queued, then those that run. Null with an
/// exception set on failure.
Ref everything_of(PoolObject* pool) noexcept;

PyObject* pool_is_inside(PyObject* self, PyObject*) noexcept;
/// Whether nothing of the pool happens before something else does: all its jobs wait.
PyObject* pool_is_blocked(PyObject* self, PyObject*) noexcept;
PyObject* pool_bind(PyObject* self, PyObject*) noexcept;

// -- The pump (pool_pump.cpp) ---------------------------------------------------------------------------------------

/// Makes sure that the pump runs soon, and that all_tasks knows of the pool. Guarantees: false with an exception set if the loop refused.
bool schedule_pump(PoolObject* pool) noexcept;

/// Makes the pass that is due now, if the loop would come to nothing else before it: whoever is about to wait for a job
/// that only needs a step then need not wait for the loop. Not inside a job of any pool, of which the code that is executed
/// then would seem to be a part; and not when the loop has had no turn for too long. Guarantees: false with an exception set that is for the loop's caller.
bool make_pass_ahead(PoolObject* pool) noexcept;

/// Makes sure of a pass if there is work, whether or not one is due: a loop that had no memory for it may have dropped that.
void have_pass(PoolObject* pool) noexcept;

/// To be called after any transition that may have made room, work or peace: admits who waits, schedules the pump,
/// wakes those who wait for the pool to be idle. Keeps an exception that is set; may run user code.
void settle_flow(PoolObject* pool) noexcept;

/// Has the loop wake those who wait for the pool to be idle. Requires: it is, and about to be bound to another loop.
void release_idle_waiters(PoolObject* pool) noexcept;

/// A future that is resolved when the pool comes to rest; None if it is at rest.
PyObject* pool_when_idle(PyObject* self, PyObject*) noexcept;
PyObject* pool_forget_waiter(PyObject* self, PyObject* waiter) noexcept;

/// Lets go of the guard: the next use of the pool makes a new one.
PyObject* pool_renew_guard(PyObject* self, PyObject*) noexcept;

/// Resolves a future that somebody waits on for the pool, unless it is done; or wakes the thread that sleeps there.
void wake_waiter(PoolObject* pool, PyObject* waiter) noexcept;

/// Tells who was admitted: a producer comes back for its place, a run()'s job is in already.
void welcome(PoolObject* pool, Entry& entry) noexcept;

/// The pool owns what is in it, from the line to the end: whoever waits there may be held by nothing else.
void own_job(Job* job) noexcept;

/// What is left to do for a job that was accepted just now. Requires: the pool owns it.
void note_accepted(PoolObject* pool, Job* job) noexcept;

/// Puts the job into asyncio.all_tasks, as debug mode wants.
void register_job(PoolObject* pool, Job* job) noexcept;

// -- The ways in (pool_entrance.cpp) --------------------------------------------------------------------------------

PyObject* pool_submit_nowait(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) noexcept;
PyObject* pool_offer(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept;
/// Offers a coroutine as submit() does. `batch` is the Batch that follows its job; null: none does. Guarantees: the Job, or
/// an Arrival; or null with an exception set, and the coroutine is closed.
PyObject* offer_to_batch(PoolObject* pool, PyObject* coro, PyObject* batch) noexcept;
/// (list, more): accepts all, or none if there is no room for them or there is `more` than fits.
PyObject* pool_offer_all(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept;
/// Raises TypeError if this is nothing that a pool can run.
PyObject* pool_check(PyObject* self, PyObject* awaitable) noexcept;

/// Calls close(), if there is such a method; an error goes to the loop's exception handler.
PyObject* pool_discard(PyObject* self, PyObject* closable) noexcept;

/// How many jobs the pool would accept now.
PyObject* pool_room(PyObject* self, PyObject*) noexcept;
/// The lineage of the code that calls, or None.
PyObject* pool_lineage(PyObject* self, PyObject*) noexcept;
/// The lineage of the code that a context was copied from, or None.
PyObject* pool_lineage_in(PyObject* self, PyObject* context) noexcept;
/// Notes that code of a lineage, or None, waits for a job of the pool. Does nothing for any other future.
PyObject* pool_want(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept;
PyObject* pool_run(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept;

// -- The way out (pool_shutdown.cpp) --------------------------------------------------------------------------------

PyObject* pool_close(PyObject* self, PyObject*) noexcept;
PyObject* pool_cancel_all(PyObject* self, PyObject*) noexcept;
/// Whether there are jobs that the guard stands for. A pool that has another guard has moved to another loop, and its jobs
/// there are none of this one's business.
PyObject* pool_is_busy(PyObject* self, PyObject* guard) noexcept;
/// Closes the pool, takes what is queued out of it, as cancelled, and refuses the threads that wait to come in. Any thread
/// may call it. The loop ends the jobs, soon. Guarantees: a list of their ThreadFutures, which may be cancelled before that.
PyObject* pool_drop_queued(PyObject* self, PyObject*) noexcept;
/// Cancels those jobs, and refuses who waits to come in. Until all have ended, no other thread comes in any more.
PyObject* pool_cancel_guarded(PyObject* self, PyObject* guard) noexcept;

// -- The end of what a loop has left (pool_end.cpp) -------------------------------------------------------------------

/// A function that does what pool_abandon does without holding the pool, and nothing once the pool is gone. The garbage
/// collector calls weak references' callbacks before any finaliser: only there can coroutines that never began be closed
/// before they complain.
PyObject* pool_ending(PyObject* self, PyObject*) noexcept;
/// An object that leads to the pool without holding it. Borrowed; null with an exception set on failure.
PyObject* handle_of(PoolObject* pool) noexcept;
/// Null once the pool is gone.
PoolObject* pool_of_handle(PyObject* handle) noexcept;
void close_handle(PoolObject* pool) noexcept;

/// Ends whatever is left of a loop that will not run again, silently. Requires: nothing of the pool executes.
void abandon_all(PoolObject* pool) noexcept;
/// The same; does nothing while something executes.
PyObject* pool_abandon(PyObject* self, PyObject*) noexcept;

}  // namespace nbaio
