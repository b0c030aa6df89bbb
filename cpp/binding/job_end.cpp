// How a job ends, and how it is asked to.
//
// The order is always the same: the state machine first, so that the pool's counts are right before any other code can
// look at them; then the futures; then the coroutine; and only then whatever the freed room allows.
#include "binding/arrival.hpp"
#include "binding/batch.hpp"
#include "binding/job.hpp"
#include "binding/lending.hpp"
#include "binding/pool.hpp"
#include "binding/thread_outcome.hpp"
#include "binding/wanted_work.hpp"

namespace nbaio {
namespace {

/// Takes an accepted job out of the pool. Guarantees: the reference that the pool held.
Ref detach(Job* job, Outcome outcome) noexcept {
    job->pool()->admission.finish(job->entry, outcome);
    return Ref::own(job->self());
}

/// Future.cancel, under Job's own.
Ref cancel_future(Job* job, PyObject* message) noexcept {
    PyObject* method = job->state()->future_cancel.get();
#if PY_VERSION_HEX >= 0x03090000
    if (message != nullptr && message != Py_None) return call(method, job->self(), message);
#else
    static_cast<void>(message);
#endif
    return call(method, job->self());
}

/// Whether the future= of the job is still to be settled.
bool sink_is_open(Job* job) noexcept {
    PyObject* sink = job->seen().sink;
    if (sink == nullptr || job->sink_kind == SinkKind::batch) return false;
    if (job->sink_kind == SinkKind::thread) return true;  // it sees for itself
    Ref done = call_method(sink, job->state()->done.get());
    const int is_done = done ? PyObject_IsTrue(done.get()) : -1;
    if (is_done < 0) report(job->pool(), "could not look at the future= of a job", job->self());
    return is_done == 0;
}

Ref call_sink(PyObject* sink, PyObject* method, PyObject* value) noexcept {
    return value != nullptr ? call_method(sink, method, value) : call_method(sink, method);
}

/// Whether what was raised is for the caller of the loop: a signal's handler may have raised it, anywhere.
bool is_interrupt() noexcept {
    return PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) != 0 || PyErr_ExceptionMatches(PyExc_SystemExit) != 0;
}

/// Makes a call until no interrupt strikes in it. Guarantees: false with what it has raised set; the first interrupt, if
/// any, is raised later, or set. Requires: the call may be made again.
template <class Call>
bool finish(Call make) noexcept {
    constexpr int enough = 1000;  // an object whose repr() raises one every time must not keep the loop for ever
    Ref interrupt;
    Ref done = make();
    for (int tries = 1; !done && tries < enough && is_interrupt(); ++tries) {
        Ref raised = take_raised();
        if (!interrupt) interrupt = std::move(raised);
        done = make();
    }
    if (!done || !interrupt) return static_cast<bool>(done);
    raise(std::move(interrupt));
    return defer_interrupt();
}

void unregister(Job* job) noexcept {
    if (!job->registered) return;
    job->registered = false;
    if (!finish([job] { return call(job->state()->unregister_task.get(), job->self()); }))
        report(job->pool(), "could not unregister a job", job->self());
}

/// Calls a method of a ThreadFuture: one that is left half-way would be waited for, for ever. Guarantees: as finish.
bool settle_thread(PyObject* sink, PyObject* method, PyObject* value) noexcept {
    return finish([=] { return call_sink(sink, method, value); });
}

/// `of_thread` is the method if the sink is a ThreadFuture.
void tell_sink(Job* job, PyObject* method, PyObject* of_thread, PyObject* value) noexcept {
    const Ref sink = Ref::share(job->seen().sink);
    const bool told = job->sink_kind == SinkKind::thread ? settle_thread(sink.get(), of_thread, value)
                                                         : static_cast<bool>(call_sink(sink.get(), method, value));
    if (!told) report(job->pool(), "could not pass a job's outcome on to its future=", job->self());
}

/// The most frequent end of all needs no Python code, if nobody has looked at the future but to wait for it.
bool tell_thread(Job* job, PyObject* result) noexcept {
    if (job->sink_kind != SinkKind::thread) return false;
    PoolObject* pool = job->pool();
    Bells bells;
    if (!settle_outcome(job->state(), job->seen().sink, result, bells)) return false;
    if (pool->in_pass) pool->bells.take(bells);
    return true;
}

void tell_sink_of_cancel(Job* job) noexcept {
    if (sink_is_open(job)) tell_sink(job, job->state()->cancel.get(), job->state()->thread_cancelled.get(), nullptr);
}

/// The same where there is no loop that could run callbacks, and nobody to tell of an error.
void tell_sink_of_loops_end(Job* job) noexcept {
    const Ref sink = Ref::share(job->seen().sink);
    if (!sink || job->sink_kind == SinkKind::batch) return;
    if (job->sink_kind == SinkKind::thread) {
        Ref error = call(job->state()->new_loop_ended_error.get());
        if (!error || !settle_thread(sink.get(), job->state()->thread_failed.get(), error.get())) PyErr_Clear();
    } else if (!call_method(sink.get(), job->state()->cancel.get())) {
        PyErr_Clear();
    }
}

/// Lets go of what only a job that goes on needs. The coroutine and the context stay, as they do in a Task.
void let_go(Job* job) noexcept {
    const Exclusive exclusive(job->self());  // for those who find that it has no pool any more
    Ref pool = job->leave_pool();
    Ref waits_on = job->take(&JobDetails::waits_on);
    Ref sink = job->take(&JobDetails::sink);
    Ref message = job->take(&JobDetails::cancel_message);
    Ref slot_waiter = take_slot_waiter(job->entry);
    forget_want(job->entry);
    Lineage* lineage = job->details() != nullptr ? std::exchange(job->details()->dealings.lineage, nullptr) : nullptr;
    drop_details(job, reinterpret_cast<PoolObject*>(pool.get()));
    Entry* heir = lineage != nullptr ? end_lineage(lineage) : nullptr;
    if (heir != nullptr) reconsider(reinterpret_cast<PoolObject*>(pool.get()), *heir);
}

/// The common end of every job that was accepted, after its own future was settled.
void conclude(Job* job, Ending ending) noexcept {
    unregister(job);
    PoolObject* pool = job->pool();
    Ref alive = Ref::share(as_object(pool));
    if (job->sink_kind == SinkKind::batch && job->seen().sink != nullptr) tell_batch(pool, job, ending);
    let_go(job);
    settle_flow(pool);
}

/// The callback of a job's future=: its cancellation is the job's.
PyObject* sink_done(PyObject* self, PyObject* future) noexcept {
    const Exclusive exclusive(as_object(job_of(self)->pool()));
    Job* job = job_of(self);
    if (job->seen().sink != future) return new_none();
    Ref cancelled = call_method(future, job->state()->cancelled.get());
    if (!cancelled) return nullptr;
    const int is_cancelled = PyObject_IsTrue(cancelled.get());
    if (is_cancelled < 0) return nullptr;
    if (is_cancelled == 0) return new_none();
    if (is_outside_door(job->entry)) job->sink_gave_up = true;
    return cancel_job(job, nullptr) < 0 ? nullptr : new_none();
}
PyMethodDef sink_done_def = {"job_future_done", sink_done, METH_O, nullptr};

/// Ends a job that never began: nothing of its coroutine has run.
void drop(Job* job, PyObject* message) noexcept {
    Ref alive = detach(job, Outcome::cancelled);
    end_dropped(job, message);
}

/// The job that this one waits for and passes its cancellation on to. Null if there is none.
PyObject* awaited_job(Job* job) noexcept {
    PyObject* future = is_under_way(job->entry) && !job->stepping ? job->seen().waits_on : nullptr;
    if (future == nullptr || Py_TYPE(future) != job->state()->job_type) return nullptr;
    return job_of(future)->entry.place != Place::outside ? future : nullptr;
}

/// Requires: the job has begun.
void request_cancel(Job* job, PyObject* message) noexcept {
    if (job->details() == nullptr) return;  // there was no memory for them: it is about to fail
    ++job->details()->cancels_requested;
    Ref old = Ref::own(std::exchange(job->details()->cancel_message, new_ref(message)));
}

/// Ends the wait of a job for one that waits for it in turn: nobody else could. Guarantees: as cancel_job.
int break_circle(Job* job, PyObject* awaited) noexcept {
    if (!stop_waiting(job, awaited)) return -1;
    job->must_cancel = true;
    want_step(job);
    return 1;
}

/// Guarantees: as cancel_job.
int cancel_one(Job* job, PyObject* message) noexcept {
    switch (job->entry.place) {
        case Place::outside: {
            Ref answer = cancel_future(job, message);  // done: returns False, and marks an exception as seen
            return answer ? PyObject_IsTrue(answer.get()) : -1;
        }
        case Place::line:
        case Place::granted: leave_line(job); return 1;
        case Place::queued:
        case Place::starting: {
            Ref kept = Ref::share(message);
            drop(job, message);
            return 1;
        }
        case Place::ready:
        case Place::running:
        case Place::lending:
        case Place::returning:
        case Place::repaid: break;
    }
    request_cancel(job, message);
    if (job->woken) {
        // It only waits for its slot, and need not any more.
        job->woken = false;
        job->must_cancel = true;
        want_step(job);
        return 1;
    }
    if (job->seen().waits_on != nullptr && !job->stepping) {
        const int answer = cancel_waited(job);
        if (answer != 0) return answer;
    }
    if (!has_begun(job->entry)) return 0;
    job->must_cancel = true;
    return 1;
}

}  // namespace

void end_dropped(Job* job, PyObject* message) noexcept {
    if (!cancel_future(job, message)) report(job->pool(), "could not cancel a job", job->self());
    tell_sink_of_cancel(job);
    close_coroutine(job->pool(), job->coro);
    conclude(job, Ending::failed);
}

void end_with_result(Job* job, PyObject* result) noexcept {
    Ref alive = detach(job, Outcome::succeeded);
    if (!call(job->state()->future_set_result.get(), job->self(), result)) {
        report(job->pool(), "could not set the result of a job", job->self());
        if (!cancel_future(job, nullptr)) PyErr_Clear();  // whoever waits must not wait for ever
    } else {
        job->succeeded = true;
    }
    if (sink_is_open(job) && !tell_thread(job, result)) {
        tell_sink(job, job->state()->set_result.get(), job->state()->thread_succeeded.get(), result);
    }
    conclude(job, Ending::succeeded);
}

void end_with_exception(Job* job, PyObject* exception) noexcept {
    Ref alive = detach(job, Outcome::failed);
    if (!call(job->state()->future_set_exception.get(), job->self(), exception)) {
        report(job->pool(), "could not set the exception of a job", job->self());
        if (!cancel_future(job, nullptr)) PyErr_Clear();
    }
    const bool told = sink_is_open(job);
    if (told) tell_sink(job, job->state()->set_exception.get(), job->state()->thread_failed.get(), exception);
    // Whoever was told is the one to report it, if nobody asks.
    const bool is_seen = told || (job->sink_kind == SinkKind::batch && job->seen().sink != nullptr);
    if (is_seen && PyObject_SetAttr(job->self(), job->state()->log_traceback.get(), Py_False) < 0) PyErr_Clear();
    conclude(job, Ending::failed);
}

void fail_job(Job* job) noexcept {
    Ref exception = take_raised();
    close_coroutine(job->pool(), job->coro);
    if (job->pool() != nullptr) end_with_exception(job, exception.get());  // else its close() has ended the job
}

void end_cancelled(Job* job, PyObject* message, Ref error) noexcept {
    Ref alive = detach(job, Outcome::cancelled);
    Ref kept = Ref::share(message);
    Ref old;
    if (job->details() != nullptr) old = Ref::own(std::exchange(job->details()->thrown, error.release()));
    if (!cancel_future(job, message)) report(job->pool(), "could not cancel a job", job->self());
    tell_sink_of_cancel(job);
    conclude(job, Ending::failed);
}

int cancel_waited(Job* job) noexcept {
    Ref future = Ref::share(job->seen().waits_on);
    Ref message = Ref::share(job->seen().cancel_message);
    State* state = job->state();
    const bool has_message = message && message.get() != Py_None && PY_VERSION_HEX >= 0x03090000;
    Ref answer = has_message ? call_method_with_keyword(future.get(), state->cancel.get(), state->message_keyword.get(),
                                                        message.get())
                             : call_method(future.get(), state->cancel.get());
    return answer ? PyObject_IsTrue(answer.get()) : -1;
}

int cancel_job(Job* job, PyObject* message) noexcept {
    // Jobs that wait for one another may be a chain that is too long for the stack.
    Ref before;
    Ref alive = Ref::share(job->self());
    Job* mark = job;  // moves on at every power of two, so that a circle comes back to it
    std::size_t steps = 0;
    while (PyObject* next = awaited_job(job)) {
        Ref kept = Ref::share(next);
        request_cancel(job, message);
        if (job_of(next) == mark) return break_circle(job, next);
        ++steps;
        if ((steps & (steps - 1)) == 0) mark = job_of(next);
        before = std::move(alive);
        alive = std::move(kept);
        job = job_of(next);
    }
    const int answer = cancel_one(job, message);
    if (answer != 0 || !before || !has_begun(job_of(before.get())->entry)) return answer;
    job_of(before.get())->must_cancel = true;
    return 1;
}

void cancel_by_force(Job* job) noexcept {
    PyObject* future = is_under_way(job->entry) && !job->stepping ? job->seen().waits_on : nullptr;
    if (future == nullptr) return;
    const Ref alive = Ref::share(job->self()), waited = Ref::share(future);
    if (break_circle(job, waited.get()) < 0) report(job->pool(), "could not cancel a job", job->self());
}

void leave_line(Job* job) noexcept {
    PoolObject* pool = job->pool();
    Ref pool_alive = Ref::share(as_object(pool));
    Ref held_by_pool = Ref::own(job->self());
    pool->admission.withdraw(job->entry);
    refuse_job(job, nullptr);
    settle_flow(pool);
}

void take_back_job(Job* job) noexcept {
    PoolObject* pool = job->pool();
    Ref pool_alive = Ref::share(as_object(pool));
    Ref held_by_pool = Ref::own(job->self());
    pool->admission.unaccept(job->entry);
    unregister(job);
    refuse_job(job, nullptr);
    settle_flow(pool);
}

void refuse_job(Job* job, PyObject* exception) noexcept {
    State* state = job->state();
    Ref pool_alive = Ref::share(as_object(job->pool()));
    Ref waiter = Ref::share(job->seen().waits_on);
    Ref settled = exception != nullptr ? call(state->future_set_exception.get(), job->self(), exception)
                                       : cancel_future(job, nullptr);
    if (!settled) report(job->pool(), "could not settle a refused job", job->self());
    // It is for the caller of run(). If that is gone, there is nothing that anybody has missed.
    if (exception != nullptr && PyObject_SetAttr(job->self(), state->log_traceback.get(), Py_False) < 0) PyErr_Clear();
    close_coroutine(job->pool(), job->coro);
    if (waiter) wake_waiter(job->pool(), waiter.get());
    if (job->sink_kind == SinkKind::batch && job->seen().sink != nullptr) tell_batch(job->pool(), job, Ending::refused);
    let_go(job);
}

void abandon_job(Job* job) noexcept {
    Ref alive = Ref::share(job->self());
    // The loop is closed: callbacks cannot be scheduled, and there is nobody to tell.
    if (!cancel_future(job, nullptr)) PyErr_Clear();
    Ref waiter = Ref::share(job->seen().waits_on);
    // A thread that stands in line has no future yet: its call raises.
    if (!is_thread(waiter.get())) tell_sink_of_loops_end(job);
    if (!call_method(job->coro, job->state()->close.get())) PyErr_Clear();
    Ref thrown = job->take(&JobDetails::thrown);
    if (job->registered) {
        job->registered = false;
        if (!call(job->state()->unregister_task.get(), job->self())) PyErr_Clear();
    }
    let_go(job);
    if (waiter) wake_thread(waiter.get());
}

Ref new_cancelled_error(State* state, PyObject* message) noexcept {
    if (message == nullptr || message == Py_None) return call(state->cancelled_error.get());
    return call(state->cancelled_error.get(), message);
}

bool watch_sink(Job* job) noexcept {
    Ref bound = Ref::own(PyCFunction_New(&sink_done_def, job->self()));
    return bound && call_method(job->seen().sink, job->state()->add_done_callback.get(), bound.get());
}

}  // namespace nbaio
