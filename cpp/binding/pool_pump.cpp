// The pump: the one callback through which the pool starts and resumes jobs, and what follows from room and rest.
#include "binding/arrival.hpp"
#include "binding/job.hpp"
#include "binding/lending.hpp"
#include "binding/pool.hpp"
#include "binding/wanted_work.hpp"
#include "core/watch.hpp"

namespace nbaio {
namespace {

/// The first step, in which the job gets its lineage. Guarantees: as step_job.
bool step_first(PoolObject* pool, Entry& entry) noexcept {
    Job* job = job_of(entry);
    const Ref alive = Ref::share(job->self());
    forget_want(entry);  // it has what it wanted
    if (!have_details(job) || !own_context(job)) {
        fail_job(job);
        return true;
    }
    const Ref context = Ref::share(job->context);
    SpareLineage spare;
    Lineage* lineage = spare.begin(pool->spare_lineage, pool->state, pool, context.get(), &entry);
    if (lineage == nullptr) {
        // Without it, what the job waits for could not be told from what it does not.
        fail_job(job);
        return true;
    }
    job->details()->dealings.lineage = lineage;
    const bool going_on = step_in_context(job);
    spare.keep(pool->spare_lineage, pool->state, context.get());
    return going_on;
}

/// How a pass ends: there is nothing more to do, or no time; a job has raised what is for the loop's caller; or the pool
/// is not this loop's any more.
enum class Pass { done, interrupted, moved };

Watch next_wait(std::chrono::microseconds(10));

/// Wakes the threads that wait for jobs that have ended in this pass, and lets go of the GIL for that moment: else they
/// would wake only to wait for it. One that submits its next job at once has it run in this very pass. In the meantime the
/// pool is as between two passes of which the second is due, and may be idle, moved to another loop, or in a fork's child.
/// Guarantees: true if the pass may go on; false if the pool has moved.
bool let_threads_go_on(PoolObject* pool) noexcept {
    if (pool->bells.empty()) return true;
    const Ref loop = Ref::share(pool->loop);
    Bells bells;
    bells.take(pool->bells);
    pool->pass_budget.start();
    pool->in_pass = false;
    pool->pump_scheduled = true;
    Py_BEGIN_ALLOW_THREADS;
    const unsigned waits = Bell::waits_begun();
    if (bells.ring()) next_wait.look_for([waits] { return Bell::waits_begun() != waits; });
    Py_END_ALLOW_THREADS;
    if (pool->loop != loop.get()) return false;
    pool->pump_scheduled = false;
    pool->in_pass = true;
    pool->pass_budget.look();
    return true;
}

/// Jobs that gave way before the pass began, then those that have a slot to start in, for as long as the budget lasts.
/// At least one is started, so that jobs which only give way cannot keep others from ever beginning.
Pass make_pass(PoolObject* pool) noexcept {
    if (!settle_loans(pool)) return Pass::interrupted;
    for (std::size_t left = pool->admission.at(Place::ready).size(); left > 0; --left) {
        Entry* entry = pool->admission.resume_next();
        if (entry == nullptr) break;
        if (!step_in_context(job_of(*entry))) return Pass::interrupted;
        if (!let_threads_go_on(pool)) return Pass::moved;
        if (pool->pass_budget.spent()) break;
    }
    while (Entry* entry = pool->admission.start_next()) {
        if (!step_first(pool, *entry)) return Pass::interrupted;
        if (!let_threads_go_on(pool)) return Pass::moved;
        if (pool->pass_budget.spent()) break;
    }
    return Pass::done;
}

/// Keeps what tells whether the thread of the loop still lives: its system ident is given to the next thread at once.
/// May run other code.
void note_thread(PoolObject* pool) noexcept {
    const std::uint64_t id = thread_id();
    if (pool->loop_thread != nullptr && pool->loop_thread_id == id) return;
    const Ref mark = mark_of_thread(pool->state->thread_mark.get());
    Ref reference = mark ? Ref::own(PyWeakref_NewRef(mark.get(), nullptr)) : Ref();
    if (!reference) return PyErr_Clear();  // no memory: the next pass tries again
    const Ref old = Ref::own(std::exchange(pool->loop_thread, reference.release()));
    pool->loop_thread_id = id;
}

/// One pass, with what belongs to it. Guarantees: false with an exception set that is for the loop's caller.
bool pump(PoolObject* pool) noexcept {
    const Ref loop = Ref::share(pool->loop);
    note_thread(pool);
    if (pool->loop != loop.get()) return true;
    pool->pass_budget.renew();
    pool->in_pass = true;
    const Pass pass = make_pass(pool);
    forget_current_task(pool, loop.get());
    if (pass == Pass::moved) return true;
    pool->in_pass = false;
    pool->bells.ring();
    pool->spare_lineage.drop();
    pool->snapshot.drop();
    settle_flow(pool);
    return pass == Pass::done;
}

/// The pump as a callback. There are two of them, so that one that was scheduled too early for the pass that is due can be
/// told from its successor: it is on the other side, and does nothing.
struct PumpCallback {
    template <bool side>
    static PyObject* run(PyObject* self, PyObject*) noexcept {
        const Exclusive exclusive(self);
        auto* pool = reinterpret_cast<PoolObject*>(self);
        // A pool that has moved to another loop meanwhile is none of this loop's business.
        if (pool->pump_side != side || !on_own_loop(pool)) return new_none();
        pool->pump_is_spare = false;
        if (pool->in_pass) return new_none();
        pool->pump_scheduled = false;
        pool->producer_budget.renew();
        return pump(pool) ? new_none() : nullptr;
    }

    static PyMethodDef* on(bool side) noexcept {
        static PyMethodDef left = {"pool_pump", run<false>, METH_NOARGS, nullptr};
        static PyMethodDef right = {"pool_pump", run<true>, METH_NOARGS, nullptr};
        return side ? &right : &left;
    }
};

/// Whether a task of the loop may have been started in the middle of something else, which then goes on before the loop
/// does. Requires: the loop has a queue.
bool may_start_eagerly(const PoolObject* pool) noexcept {
    const Ref factory = Ref::own(PyObject_GetAttr(pool->loop, pool->state->task_factory.get()));
    if (!factory) PyErr_Clear();
    return factory.get() != Py_None;
}

/// Whether the caller handles an exception. What is raised where it can be seen takes it for its context.
bool handles_exception() noexcept {
    PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
    PyErr_GetExcInfo(&type, &value, &traceback);
    const Ref kind = Ref::own(type), exception = Ref::own(value), trace = Ref::own(traceback);
    return exception && exception.get() != Py_None;
}

/// Whether the loop comes to the pump's callback next. Requires: that is in its queue; the caller runs on the loop.
bool is_pump_next(const PoolObject* pool) noexcept {
    return pool->loop_queue != nullptr && PyObject_Size(pool->loop_queue) == 1;
}

/// A loop that was closed with work left counts as ended: nobody waits there any more.
void report_unless_closed(PoolObject* pool, const char* message) noexcept {
    if (defer_interrupt()) return;
    Ref exception = take_raised();
    Ref closed = call_method(pool->loop, pool->state->is_closed.get());
    const bool is_closed = closed && PyObject_IsTrue(closed.get()) == 1;
    PyErr_Clear();
    if (is_closed) return;
    raise(std::move(exception));
    report(pool, message, as_object(pool));
}

void wake_idle_waiters(PoolObject* pool) noexcept {
    Ref waiters = Ref::own(std::exchange(pool->idle_waiters, nullptr));
    PyObject *waiter = nullptr, *value = nullptr;
    Py_ssize_t position = 0;
    while (PyDict_Next(waiters.get(), &position, &waiter, &value) != 0) {
        Ref alive = Ref::share(waiter);
        wake_waiter(pool, waiter);
    }
}

bool guard_pool(PoolObject* pool) noexcept {
    if (pool->guard != nullptr) return true;
    const Ref loop = Ref::share(pool->loop);
    Ref guard = call(pool->state->make_guard.get(), as_object(pool), loop.get());
    if (!guard) return false;
    // While Python code ran, another thread may have taken the idle pool to its own loop.
    if (pool->loop == loop.get() && pool->guard == nullptr) pool->guard = guard.release();
    return true;
}

}  // namespace

bool schedule_pump(PoolObject* pool) noexcept {
    if (pool->pump_scheduled || pool->in_pass) return true;
    if (!guard_pool(pool)) return false;
    State* state = pool->state;
    const bool is_home = on_own_loop(pool);
    if (std::exchange(pool->pump_is_spare, false)) {
        // A callback at the end of the queue is what is wanted, and this one may be it.
        if (is_home && is_pump_next(pool)) {
            pool->pump_scheduled = true;
            return true;
        }
        pool->pump_side = !pool->pump_side;
    }
    Ref bound = Ref::own(PyCFunction_New(PumpCallback::on(pool->pump_side), as_object(pool)));
    if (!bound) return false;
    PyObject* how = is_home ? state->call_soon.get() : state->call_soon_threadsafe.get();
    Ref loop = Ref::share(pool->loop);
    pool->pump_scheduled = true;
    if (call_method(loop.get(), how, bound.get())) return true;
    // Interrupted in the middle: whether the loop has taken it cannot be told, and one pass too many does no harm.
    if (defer_interrupt() && call_method(loop.get(), how, bound.get())) return true;
    pool->pump_scheduled = false;
    return false;
}

bool make_pass_ahead(PoolObject* pool) noexcept {
    if (!pool->pump_scheduled || pool->in_pass || Executing::depth > 0) return true;
    if (!on_own_loop(pool) || !is_pump_next(pool) || may_start_eagerly(pool)) return true;
    if (handles_exception() || pool->producer_budget.spent()) return true;
    const Ref loop = Ref::share(pool->loop);
    pool->producer_budget.start();
    pool->pump_scheduled = false;
    pool->pump_is_spare = true;
    const bool done = pump(pool);
    if (pool->loop == loop.get()) pool->producer_budget.look();
    return done;
}

void settle_flow(PoolObject* pool) noexcept {
    if (pool->in_pass || pool->loop == nullptr) return;
    const bool wakes = pool->idle_waiters != nullptr && pool->admission.idle();
    if (!wakes && !pool->admission.has_work()) return;
    if (!wakes && pool->pump_scheduled && !pool->admission.can_admit()) return;  // the pass that is due sees to it
    RaisedAside aside;
    Ref alive = Ref::share(as_object(pool));
    if (!on_own_loop(pool)) {
        // Futures may be settled in the loop's own thread only: the pass does the rest.
        if (!schedule_pump(pool)) report_unless_closed(pool, "could not schedule the pool's next pass");
        return;
    }
    while (Entry* entry = pool->line_waits ? nullptr : pool->admission.admit_next()) welcome(pool, *entry);
    if (pool->admission.has_work() && !schedule_pump(pool)) {
        report_unless_closed(pool, "could not schedule the pool's next pass");
    }
    if (pool->idle_waiters != nullptr && pool->admission.idle()) wake_idle_waiters(pool);
}

void welcome(PoolObject* pool, Entry& entry) noexcept {
    Job* job = job_of(entry);
    Ref alive = Ref::share(job->self());
    if (entry.place == Place::granted) {
        Ref waiter = Ref::share(job->seen().waits_on);
        if (waiter) wake_waiter(pool, waiter.get());
    } else {
        Ref thread = job->take(&JobDetails::waits_on);
        note_accepted(pool, job);
        if (thread) wake_waiter(pool, thread.get());
    }
}

void have_pass(PoolObject* pool) noexcept {
    pool->pump_scheduled = false;
    settle_flow(pool);
}

namespace {

/// Requires: the future's loop is the caller's.
void settle_waiter(PoolObject* pool, PyObject* waiter) noexcept {
    State* state = pool->state;
    Ref done = call_method(waiter, state->done.get());
    const int is_done = done ? PyObject_IsTrue(done.get()) : -1;
    if (is_done == 1) return;
    if (is_done == 0 && call_method(waiter, state->set_result.get(), Py_None)) return;
    report_unless_closed(pool, "could not wake a caller that waits for the pool");
}

/// Whatever the pool has done in the meantime: it may be at home in another loop by now.
PyObject* wake_in_loop(PyObject* self, PyObject* waiter) noexcept {
    const Exclusive exclusive(self);
    settle_waiter(reinterpret_cast<PoolObject*>(self), waiter);
    return new_none();
}
PyMethodDef wake_in_loop_def = {"pool_wake", wake_in_loop, METH_O, nullptr};

/// Futures may be settled in their loop's own thread only.
void have_loop_wake(PoolObject* pool, const Ref& loop, PyObject* waiter) noexcept {
    const Ref bound = Ref::own(PyCFunction_New(&wake_in_loop_def, as_object(pool)));
    if (bound && call_method(loop.get(), pool->state->call_soon_threadsafe.get(), bound.get(), waiter)) return;
    report_unless_closed(pool, "could not wake a caller that waits for the pool");
}

}  // namespace

void wake_waiter(PoolObject* pool, PyObject* waiter) noexcept {
    if (wake_thread(waiter)) return;
    if (on_own_loop(pool)) return settle_waiter(pool, waiter);
    have_loop_wake(pool, Ref::share(pool->loop), waiter);
}

void release_idle_waiters(PoolObject* pool) noexcept {
    RaisedAside aside;
    const Ref loop = Ref::share(pool->loop), waiters = Ref::own(std::exchange(pool->idle_waiters, nullptr));
    PyObject *waiter = nullptr, *value = nullptr;
    Py_ssize_t position = 0;
    while (waiters && PyDict_Next(waiters.get(), &position, &waiter, &value) != 0) {
        const Ref alive = Ref::share(waiter);
        have_loop_wake(pool, loop, waiter);
    }
}

void own_job(Job* job) noexcept { Py_INCREF(job->self()); }

void note_accepted(PoolObject* pool, Job* job) noexcept {
    job->accepted = true;
    if (pool->debug) register_job(pool, job);
}

void register_job(PoolObject* pool, Job* job) noexcept {
    if (call(pool->state->register_task.get(), job->self())) {
        job->registered = true;
    } else {
        report(pool, "could not register a job", job->self());
    }
}

PyObject* pool_when_idle(PyObject* self, PyObject*) noexcept {
    const Exclusive exclusive(self);
    auto* pool = reinterpret_cast<PoolObject*>(self);
    if (pool->admission.idle()) return new_none();
    have_pass(pool);
    Ref waiter = call_method(pool->loop, pool->state->create_future.get());
    if (!waiter) return nullptr;
    if (pool->idle_waiters == nullptr) {
        pool->idle_waiters = PyDict_New();
        if (pool->idle_waiters == nullptr) return nullptr;
    }
    const Ref waiters = Ref::share(pool->idle_waiters);
    if (PyDict_SetItem(waiters.get(), waiter.get(), Py_None) < 0) return nullptr;
    // Any of this may have run code that brought the pool to rest.
    return pool->idle_waiters == waiters.get() && !pool->admission.idle() ? waiter.release() : new_none();
}

PyObject* pool_renew_guard(PyObject* self, PyObject*) noexcept {
    const Exclusive exclusive(self);
    auto* pool = reinterpret_cast<PoolObject*>(self);
    pool->loop_ends = false;
    Ref guard = Ref::own(std::exchange(pool->guard, nullptr));
    return new_none();
}

PyObject* pool_forget_waiter(PyObject* self, PyObject* waiter) noexcept {
    const Exclusive exclusive(self);
    auto* pool = reinterpret_cast<PoolObject*>(self);
    const bool known = pool->idle_waiters != nullptr && PyDict_Contains(pool->idle_waiters, waiter) == 1;
    if (known && PyDict_DelItem(pool->idle_waiters, waiter) < 0) return nullptr;
    return new_none();
}

}  // namespace nbaio
