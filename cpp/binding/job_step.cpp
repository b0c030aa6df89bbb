// One step of a job's coroutine, with the meaning that asyncio's Task gives each thing a coroutine can do.
#include "binding/job.hpp"
#include "binding/lending.hpp"
#include "binding/pool.hpp"

namespace nbaio {
namespace {

// -- The current task ----------------------------------------------------------------------------------------------

/// Makes the job asyncio's current task. Whoever was current is put back afterwards: steps may nest.
class CurrentTask {
public:
    CurrentTask(PoolObject* pool, PyObject* loop, PyObject* task) noexcept
        : pool_(pool), loop_(loop), entered_(enter(task)) {}
    CurrentTask(const CurrentTask&) = delete;
    CurrentTask& operator=(const CurrentTask&) = delete;
    ~CurrentTask() = default;

    [[nodiscard]] bool entered() const noexcept { return entered_; }

#if NBAIO_HAS_TASK_DICT
    // _enter_task and _leave_task would refuse to nest, and this costs half of them and of _swap_current_task. In a pass of
    // the pump, None stands for no task, so that the dictionary does not have to make room for each job.

    /// Guarantees: false with an exception set.
    bool leave() noexcept {
        PyObject* tasks = pool_->state->current_tasks.get();
        if (before_ || pool_->in_pass) return PyDict_SetItem(tasks, loop_, before_ ? before_.get() : Py_None) == 0;
        if (PyDict_GetItemWithError(tasks, loop_) == nullptr) return PyErr_Occurred() == nullptr;
        return PyDict_DelItem(tasks, loop_) == 0;
    }

private:
    bool enter(PyObject* task) noexcept {
        PyObject* tasks = pool_->state->current_tasks.get();
        PyObject* found = PyDict_GetItemWithError(tasks, loop_);
        if (found == nullptr && PyErr_Occurred() != nullptr) return false;
        if (found != Py_None) before_ = Ref::share(found);
        return PyDict_SetItem(tasks, loop_, task) == 0;
    }
#else
    /// Guarantees: false with an exception set.
    bool leave() noexcept {
        return static_cast<bool>(call(pool_->state->swap_current_task.get(), loop_, before_.get()));
    }

private:
    bool enter(PyObject* task) noexcept {
        before_ = call(pool_->state->swap_current_task.get(), loop_, task);
        return static_cast<bool>(before_);
    }
#endif

    PoolObject* pool_;
    PyObject* loop_;
    Ref before_;
    bool entered_;
};

// -- Callbacks that make a step -------------------------------------------------------------------------------------

/// The callback of the future that the job waits for. asyncio calls it in the job's context.
PyObject* wake_up(PyObject* self, PyObject* future) noexcept;
PyMethodDef wake_up_def = {"job_wake_up", wake_up, METH_O, nullptr};

/// The callback of a job that gave way outside of a pass of the pump.
PyObject* resume(PyObject* self, PyObject*) noexcept;
PyMethodDef resume_def = {"job_step", resume, METH_NOARGS, nullptr};

PyObject* resume(PyObject* self, PyObject*) noexcept {
    const Exclusive exclusive(as_object(job_of(self)->pool()));
    Job* job = job_of(self);
    if (!job->step_due || !is_under_way(job->entry)) return new_none();  // somebody else has made the step, or ended it
    return step_job(job) ? new_none() : nullptr;
}

bool call_soon_in_context(Job* job, PyMethodDef* callback) noexcept {
    State* state = job->state();
    Ref bound = Ref::own(PyCFunction_New(callback, job->self()));
    if (!bound) return false;
    return static_cast<bool>(call_method_with_keyword(job->pool()->loop, state->call_soon.get(),
                                                      state->context_keyword.get(), bound.get(), job->context));
}

/// Raises the exception inside the coroutine at its next step.
void throw_later(Job* job, Ref exception) noexcept {
    Ref old = Ref::own(std::exchange(job->details()->thrown, exception.release()));
    want_step(job);
}

/// Whether the job waits for what a future tells now. A callback may come late: for a wait that has ended otherwise, or for
/// a job that was ended behind its back.
bool is_awaited(Job* job, PyObject* future) noexcept {
    if (!is_under_way(job->entry) || job->step_due || job->woken || job->seen().waits_on == nullptr) return false;
    if (future == job->seen().waits_on) return true;
    // One that stands for another may call back with that.
    const Ref awaited = Ref::share(job->seen().waits_on);
    const Ref done = call_method(awaited.get(), job->state()->done.get());
    if (!done) PyErr_Clear();
    return done.get() == Py_True && job->seen().waits_on == awaited.get();
}

PyObject* wake_up(PyObject* self, PyObject* future) noexcept {
    Job* job = job_of(self);
    const Exclusive exclusive(as_object(job->pool()));
    if (!is_awaited(job, future)) return new_none();
    State* state = job->state();
    job->pool()->producer_budget.renew();  // the loop had its turn
    if (job->stepping) {
        // A future that calls back from within add_done_callback: take it as if it had been done a little later.
        Ref bound = Ref::own(PyCFunction_New(&wake_up_def, self));
        if (!bound) return nullptr;
        return call_method_with_keyword(job->pool()->loop, state->call_soon.get(), state->context_keyword.get(),
                                        bound.get(), future, job->context)
            .release();
    }
    // Throw what the future failed with, as Task does: a coroutine may have yielded it without asking for the result.
    if (!call_method(future, state->result.get())) {
        Ref exception = take_raised();
        if (!is_under_way(job->entry)) return new_none();  // whatever the future has run meanwhile
        Ref old = Ref::own(std::exchange(job->details()->thrown, exception.release()));
    }
    if (!is_under_way(job->entry)) return new_none();
    if (waits_for_slot(job->pool(), job->entry, job->seen().thrown != nullptr || job->must_cancel)) {
        job->woken = true;
        return new_none();
    }
    return step_job(job) ? new_none() : nullptr;
}

// -- What the coroutine yielded --------------------------------------------------------------------------------------

/// A RuntimeError with a message about the job (%R) and the object it yielded (%R).
Ref complaint(const char* format, Job* job, PyObject* yielded) noexcept {
    PyErr_Format(PyExc_RuntimeError, format, job->self(), yielded);
    return take_raised();
}

/// The loop of a future, which may know it by get_loop() or only as an attribute.
Ref loop_of(const PoolObject* pool, PyObject* future) noexcept {
    State* state = pool->state;
    if (Py_TYPE(future) == state->future_type && pool->loop_offset != 0) {
        // A plain Future has no code of its own in the way: see find_loop_offset.
        PyObject* loop = *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(future) + pool->loop_offset);
        if (loop != nullptr) return Ref::share(loop);
    }
    Ref method = Ref::own(PyObject_GetAttr(future, state->get_loop.get()));
    if (method) return call(method.get());
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return Ref();
    PyErr_Clear();
    return Ref::own(PyObject_GetAttr(future, state->private_loop.get()));
}

/// Guarantees: false with an exception set that is for the coroutine.
bool wait_for(Job* job, PyObject* future, PyObject* blocking) noexcept {
    State* state = job->state();
    Ref loop = loop_of(job->pool(), future);
    if (!loop) return false;
    if (loop.get() != job->pool()->loop) {
        raise(complaint("Job %R got Future %R attached to a different loop", job, future));
        return false;
    }
    const int is_blocking = PyObject_IsTrue(blocking);
    if (is_blocking < 0) return false;
    if (is_blocking == 0) {
        raise(complaint("yield was used instead of yield from in job %R with %R", job, future));
        return false;
    }
    if (PyObject_SetAttr(future, state->future_blocking.get(), Py_False) < 0) return false;
    Ref bound = Ref::own(PyCFunction_New(&wake_up_def, job->self()));
    if (!bound) return false;
    Ref old = Ref::own(std::exchange(job->details()->waits_on, new_ref(future)));
    if (!call_method_with_keyword(future, state->add_done_callback.get(), state->context_keyword.get(), bound.get(),
                                  job->context)) {
        Ref unheard = job->take(&JobDetails::waits_on);
        return false;
    }
    if (job->must_cancel) {
        // Cancelled during the step that led here.
        const int cancelled = cancel_waited(job);
        if (cancelled < 0) return false;
        if (cancelled == 1) job->must_cancel = false;
    }
    if (job->seen().waits_on == future) wait_with_slot(job->pool(), job->entry, future);
    return true;
}

/// Does what the coroutine asked for by yielding.
void obey(Job* job, PyObject* yielded) noexcept {
    State* state = job->state();
    if (yielded == job->self()) return throw_later(job, complaint("Job cannot await on itself: %R (%R)", job, yielded));
    if (yielded == Py_None) return want_step(job);
    Ref blocking = Ref::own(PyObject_GetAttr(yielded, state->future_blocking.get()));
    if (PyType_Check(yielded)) blocking.reset();  // the class of a future has the attribute, but is none
    if (blocking && blocking.get() != Py_None) {
        if (!wait_for(job, yielded, blocking.get())) throw_later(job, take_raised());
        return;
    }
    if (PyErr_Occurred() != nullptr && !PyErr_ExceptionMatches(PyExc_AttributeError))
        return throw_later(job, take_raised());
    PyErr_Clear();
    throw_later(job,
                PyGen_CheckExact(yielded)
                    ? complaint("yield was used instead of yield from for generator in job %R with %R", job, yielded)
                    : complaint("Job %R got bad yield: %R", job, yielded));
}

// -- The step --------------------------------------------------------------------------------------------------------

/// What the step has to throw: the error of the future it waited for, or of a bad yield, or the pending cancellation.
Ref take_thrown(Job* job) noexcept {
    Ref thrown = job->take(&JobDetails::thrown);
    if (!job->must_cancel) return thrown;
    job->must_cancel = false;
    if (thrown && PyErr_GivenExceptionMatches(thrown.get(), job->state()->cancelled_error.get())) return thrown;
    thrown = new_cancelled_error(job->state(), job->seen().cancel_message);
    return thrown ? std::move(thrown) : take_raised();
}

Step advance(Job* job, PyObject* thrown, Ref& value) noexcept {
    if (thrown == nullptr) return send_into(job->coro, Py_None, job->state()->send.get(), value);
    return step_of(call_method(job->coro, job->state()->throw_name.get(), thrown).release(), value);
}

/// Guarantees: false with the exception set again if it is for the loop's caller.
bool end_raised(Job* job, Ref exception) noexcept {
    if (PyErr_GivenExceptionMatches(exception.get(), job->state()->cancelled_error.get())) {
        Ref args = Ref::own(PyObject_GetAttrString(exception.get(), "args"));
        PyErr_Clear();
        if (!is_under_way(job->entry)) return true;  // ended by that code, through a loop that says it is closed
        const bool has_message = args && PyTuple_Check(args.get()) && PyTuple_GET_SIZE(args.get()) > 0;
        end_cancelled(job, has_message ? PyTuple_GET_ITEM(args.get(), 0) : nullptr, std::move(exception));
        return true;
    }
    end_with_exception(job, exception.get());
    if (!PyErr_GivenExceptionMatches(exception.get(), PyExc_KeyboardInterrupt) &&
        !PyErr_GivenExceptionMatches(exception.get(), PyExc_SystemExit)) {
        return true;
    }
    raise(std::move(exception));
    return false;
}

}  // namespace

void want_step(Job* job) noexcept {
    if (job->step_due || job->entry.place == Place::ready) return;
    PoolObject* pool = job->pool();
    // In a pass of the pump the next pass is scheduled when this one ends, so it comes after everything that the job
    // has scheduled so far. Outside of a pass the pump may be due before that: the job gets a callback of its own.
    if (!pool->in_pass && call_soon_in_context(job, &resume_def)) {
        job->step_due = true;
        return;
    }
    if (PyErr_Occurred() != nullptr && !defer_interrupt()) {
        report(pool, "could not schedule the next step of a job", job->self());
    }
    if (!is_under_way(job->entry)) return;
    if (job->entry.place != Place::running) go_on(pool, job->entry);
    pool->admission.give_way(job->entry);
    settle_flow(pool);
}

void forget_current_task([[maybe_unused]] PoolObject* pool, [[maybe_unused]] PyObject* loop) noexcept {
#if NBAIO_HAS_TASK_DICT
    RaisedAside aside;
    PyObject* tasks = pool->state->current_tasks.get();
    if (PyDict_GetItemWithError(tasks, loop) == Py_None && PyDict_DelItem(tasks, loop) == 0) return;
    PyErr_Clear();
#endif
}

bool stop_waiting(Job* job, PyObject* future) noexcept {
    Ref bound = Ref::own(PyCFunction_New(&wake_up_def, job->self()));
    if (!bound || !call_method(future, job->state()->remove_done_callback.get(), bound.get())) return false;
    Ref waited = job->take(&JobDetails::waits_on);
    return true;
}

bool step_job(Job* job) noexcept {
    Ref old_waited = job->take(&JobDetails::waits_on);
    Ref thrown = take_thrown(job);
    // The job may end, and let go of its pool and loop, while they are still needed here.
    Ref pool_alive = Ref::share(as_object(job->pool()));
    PoolObject* pool = job->pool();
    Ref loop = Ref::share(pool->loop);

    if (job->entry.place != Place::running) go_on(pool, job->entry);
    job->woken = job->step_due = false;

    Ref value;
    Ref exception;
    Step step = Step::raised;
    CurrentTask current(pool, loop.get(), job->self());
    if (current.entered()) {
        Executing here(pool, job->self(), &job->entry);
        job->stepping = true;
        step = advance(job, thrown.get(), value);
        if (step == Step::raised) exception = take_raised();
        if (!current.leave()) report(pool, "could not leave the step of a job", job->self());
        if (step == Step::yielded && is_under_way(job->entry)) obey(job, value.get());
        job->stepping = false;
    } else {
        exception = take_raised();
        close_coroutine(pool, job->coro);
    }
    if (step == Step::yielded || !is_under_way(job->entry)) return true;
    if (step == Step::raised) return end_raised(job, std::move(exception));
    if (job->must_cancel) {
        // Asked to be cancelled in its very last step.
        job->must_cancel = false;
        end_cancelled(job, job->seen().cancel_message, Ref());
    } else {
        end_with_result(job, value.get());
    }
    return true;
}

bool step_in_context(Job* job) noexcept {
    const Ref alive = Ref::share(job->self());
    const Ref context = Ref::share(job->context);
    if (PyContext_Enter(context.get()) < 0) {
        fail_job(job);
        return true;
    }
    const bool going_on = step_job(job);
    if (going_on) return PyContext_Exit(context.get()) == 0;
    RaisedAside aside;
    if (PyContext_Exit(context.get()) < 0) PyErr_Clear();
    return false;
}

}  // namespace nbaio
