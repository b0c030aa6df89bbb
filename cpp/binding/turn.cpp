#include "binding/turn.hpp"

#include "binding/job.hpp"
#include "binding/lending.hpp"
#include "binding/pool.hpp"

namespace nbaio {
namespace {

Turn* turn_of(PyObject* self) noexcept { return reinterpret_cast<Turn*>(self); }

bool is_linked(const Turn* turn) noexcept { return turn->entry.place != Place::outside; }

// -- Memory ---------------------------------------------------------------------------------------------------------

/// Lets go of all fields. The turn must not be used afterwards by anything that one of them may call: they are detached
/// first.
void clear_fields(Turn* turn) noexcept {
    Ref pool = Ref::own(as_object(std::exchange(turn->pool, nullptr)));
    Ref coro = Ref::own(std::exchange(turn->coro, nullptr));
    Ref context = Ref::own(std::exchange(turn->context, nullptr));
    Ref yielded = Ref::own(std::exchange(turn->yielded, nullptr));
    Ref job = Ref::own(std::exchange(turn->job, nullptr));
    Ref task = Ref::own(std::exchange(turn->task, nullptr));
    Ref slot_waiter = Ref::own(std::exchange(turn->dealings.slot_waiter, nullptr));
}

/// Lets go of the part that the turn has in lending.
void leave_family(Turn* turn) noexcept {
    drop_want(turn->dealings.want);
    Lineage* lineage = std::exchange(turn->dealings.lineage, nullptr);
    Entry* heir = lineage != nullptr ? end_lineage(lineage) : nullptr;
    if (heir != nullptr && turn->pool != nullptr) reconsider(turn->pool, *heir);
}

/// Allocates a turn, or takes the one that the pool keeps.
Ref new_turn(PoolObject* pool) noexcept {
    Ref self = Ref::own(std::exchange(pool->spare_turn, nullptr));
    if (!self) {
        PyTypeObject* type = pool->state->turn_type;
        self = Ref::own(type->tp_alloc(type, 0));
        if (!self) return self;
    }
    Turn* turn = turn_of(self.get());
    turn->entry = Entry{};
    turn->entry.kind = turn_entry;
    turn->dealings = Dealings{};
    turn->entry.loan = &turn->dealings.loan;
    turn->begun = turn->woken = turn->guest = turn->delivered = turn->driven = turn->must_cancel = false;
    turn->pool = share(pool);
    return self;
}

// -- Driving the coroutine -------------------------------------------------------------------------------------------

/// Counts the turn as ended. Keeps an exception that is set.
void end_turn(Turn* turn, Outcome outcome) noexcept {
    PoolObject* pool = turn->pool;
    pool->admission.finish(turn->entry, outcome);
    leave_family(turn);
    settle_flow(pool);
}

Outcome outcome_of_raised(State* state) noexcept {
    const bool given_up =
        PyErr_ExceptionMatches(state->cancelled_error.get()) != 0 || PyErr_ExceptionMatches(PyExc_GeneratorExit) != 0;
    return given_up ? Outcome::cancelled : Outcome::failed;
}

/// Takes the coroutine one step on, inside its own context. `step` makes the step.
/// `if_returned` is how the turn counts then.
template <class Advance>
Step drive(Turn* turn, Ref& value, Advance advance, Outcome if_returned = Outcome::succeeded) noexcept {
    PoolObject* pool = turn->pool;
    if (turn->driven) {
        PyErr_SetString(PyExc_RuntimeError, "the coroutine of this run() is executing already");
        return Step::raised;
    }
    // The code that is driven may end the turn from outside: what it needs afterwards is held here.
    const Ref pool_alive = Ref::share(as_object(pool)), context = Ref::share(turn->context);
    const bool first = !turn->begun && !turn->guest;
    SpareLineage spare;
    if (first)
        turn->dealings.lineage = spare.begin(pool->spare_lineage, pool->state, pool, context.get(), &turn->entry);
    if ((first && turn->dealings.lineage == nullptr) || PyContext_Enter(context.get()) < 0) {
        RaisedAside aside;
        close_coroutine(pool, turn->coro);
        end_turn(turn, Outcome::failed);
        return Step::raised;
    }
    Step step = Step::raised;
    {
        Entry* outer = pool->executing != nullptr ? pool->executing->holder : nullptr;
        Entry* holder = turn->guest ? outer : &turn->entry;
        Executing here(pool, as_object(turn), holder, if_returned == Outcome::cancelled);
        turn->driven = true;
        if (turn->entry.place != Place::running) go_on(pool, turn->entry);
        turn->begun = true;
        turn->woken = false;
        step = advance(value);
        turn->driven = false;
    }
    if (step == Step::raised) {
        RaisedAside aside;
        if (PyContext_Exit(context.get()) < 0) PyErr_Clear();
    } else if (PyContext_Exit(context.get()) < 0) {
        step = Step::raised;
    }
    if (!is_linked(turn)) {
        // Ended meanwhile from outside, which left the fields to whoever used them.
        clear_fields(turn);
        return step;
    }
    if (step == Step::yielded) {
        turn->yielded = new_ref(value.get());
        if (turn->must_cancel) cancel_turn(turn);
        if (turn->yielded == value.get()) wait_with_slot(pool, turn->entry, value.get());
    } else {
        end_turn(turn, step == Step::returned ? if_returned : outcome_of_raised(pool->state));
        // The pass that is due lets go of it.
        if (pool->pump_scheduled) spare.keep(pool->spare_lineage, pool->state, context.get());
    }
    return step;
}

/// Makes the caller's task wait for the future that says that the turn has a slot again. Guarantees: false, and no
/// exception, if there is no memory for it.
bool yield_slot_waiter(Turn* turn, Ref& value) noexcept {
    State* state = turn->pool->state;
    Ref waiter = call_method(turn->pool->loop, state->create_future.get());
    if (!waiter || PyObject_SetAttr(waiter.get(), state->future_blocking.get(), Py_True) < 0) {
        PyErr_Clear();
        return false;
    }
    Ref woken = Ref::own(std::exchange(turn->dealings.slot_waiter, new_ref(waiter.get())));
    Ref waited = Ref::own(std::exchange(turn->yielded, new_ref(waiter.get())));
    turn->woken = true;
    value = std::move(waiter);
    return true;
}

/// One step as `await` makes it: sends a value, or hands on what is waited for already.
Step send_step(Turn* turn, PyObject* sent, Ref& value) noexcept {
    if (turn->pool == nullptr || !is_linked(turn)) {
        PyErr_SetString(PyExc_RuntimeError, "this run() has ended");
        return Step::raised;
    }
    if (!turn->delivered) {
        turn->delivered = true;
        value = Ref::share(turn->yielded);
        return Step::yielded;
    }
    if (waits_for_slot(turn->pool, turn->entry, turn->must_cancel) && yield_slot_waiter(turn, value)) {
        return Step::yielded;
    }
    Ref old = Ref::own(std::exchange(turn->yielded, nullptr));
    State* state = turn->pool->state;
    if (turn->must_cancel) {
        turn->must_cancel = false;
        Ref error = new_cancelled_error(state, nullptr);
        return drive(turn, value, [&](Ref& out) noexcept {
            return error ? step_of(call_method(turn->coro, state->throw_name.get(), error.get()).release(), out)
                         : Step::raised;
        });
    }
    turn->pool->producer_budget.renew();  // the loop had its turn
    return drive(turn, value, [&](Ref& out) noexcept { return send_into(turn->coro, sent, state->send.get(), out); });
}

// -- The iterator that `await` drives ----------------------------------------------------------------------------------

PyObject* turn_await(PyObject* self) noexcept {
    Turn* turn = turn_of(self);
    if (turn->job == nullptr) return new_ref(self);
    return Py_TYPE(turn->job)->tp_iter(turn->job);
}

PyObject* turn_next(PyObject* self) noexcept {
    const Exclusive exclusive(as_object(turn_of(self)->pool));
    Ref value;
    const Step step = send_step(turn_of(self), Py_None, value);
    if (step == Step::returned && value.get() == Py_None) return nullptr;  // StopIteration without a value
    return answer(step, std::move(value));
}

#if PY_VERSION_HEX >= 0x030A0000
PySendResult turn_am_send(PyObject* self, PyObject* sent, PyObject** result) noexcept {
    const Exclusive exclusive(as_object(turn_of(self)->pool));
    Ref value;
    const Step step = send_step(turn_of(self), sent, value);
    return answer_send(step, std::move(value), result);
}
#endif

PyObject* turn_send(PyObject* self, PyObject* sent) noexcept {
    const Exclusive exclusive(as_object(turn_of(self)->pool));
    Ref value;
    const Step step = send_step(turn_of(self), sent, value);
    return answer(step, std::move(value));
}

PyObject* turn_throw(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept {
    const Exclusive exclusive(as_object(turn_of(self)->pool));
    Turn* turn = turn_of(self);
    if (!is_thrown_with(count)) return nullptr;
    if (turn->pool == nullptr || !is_linked(turn)) {
        PyErr_SetString(PyExc_RuntimeError, "this run() has ended");
        return nullptr;
    }
    Ref old = Ref::own(std::exchange(turn->yielded, nullptr));
    turn->delivered = true;
    turn->must_cancel = false;  // whatever is thrown takes its place
    State* state = turn->pool->state;
    Ref value;
    const Step step = drive(turn, value, [&](Ref& out) noexcept {
        return throw_into(turn->coro, args, count, state->throw_name.get(), out);
    });
    return answer(step, std::move(value));
}

/// Ends the job of a turn that its caller gave up: closes its coroutine inside its context.
/// Guarantees: false with the exception set that the coroutine answered with.
bool close_turn(Turn* turn) noexcept {
    if (turn->job != nullptr) return cancel_job(job_of(turn->job), nullptr) >= 0;
    if (turn->pool == nullptr || !is_linked(turn)) return true;
    Ref value;
    State* state = turn->pool->state;
    Ref old = Ref::own(std::exchange(turn->yielded, nullptr));
    turn->must_cancel = false;
    const Step step = drive(
        turn, value,
        [&](Ref& out) noexcept {
            out = call_method(turn->coro, state->close.get());
            return out ? Step::returned : Step::raised;
        },
        Outcome::cancelled);
    return step == Step::returned;
}

PyObject* turn_close(PyObject* self, PyObject*) noexcept {
    const Exclusive exclusive(as_object(turn_of(self)->pool));
    return close_turn(turn_of(self)) ? new_none() : nullptr;
}

// -- The type ---------------------------------------------------------------------------------------------------------

PyObject* turn_new(PyTypeObject*, PyObject*, PyObject*) noexcept {
    PyErr_SetString(PyExc_TypeError, "a Turn is made by pool.run()");
    return nullptr;
}

int turn_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
    Turn* turn = turn_of(self);
    Py_VISIT(as_object(turn->pool));
    Py_VISIT(turn->coro);
    Py_VISIT(turn->context);
    Py_VISIT(turn->yielded);
    Py_VISIT(turn->job);
    Py_VISIT(turn->task);
    Py_VISIT(turn->dealings.slot_waiter);
    if (instances_visit_their_type) Py_VISIT(Py_TYPE(self));
    return 0;
}

int turn_clear(PyObject* self) noexcept {
    Turn* turn = turn_of(self);
    if (!is_linked(turn)) clear_fields(turn);
    return 0;
}

void turn_finalize(PyObject* self) noexcept {
    const Exclusive exclusive(as_object(turn_of(self)->pool));
    RaisedAside aside;
    Turn* turn = turn_of(self);
    PoolObject* pool = turn->pool;
    if (pool == nullptr) return;
    Ref alive = Ref::share(as_object(pool));
    if (!close_turn(turn)) report(pool, "the coroutine of a run() that was given up failed to close", self);
}

void turn_dealloc(PyObject* self) noexcept {
    if (PyObject_CallFinalizerFromDealloc(self) < 0) return;
    PyObject_GC_UnTrack(self);
    PyTypeObject* type = Py_TYPE(self);
    clear_fields(turn_of(self));
    type->tp_free(self);
    Py_DECREF(type);
}

PyMethodDef turn_methods[] = {{"send", turn_send, METH_O, nullptr},
                              {"throw", as_function(turn_throw), METH_FASTCALL, nullptr},
                              {"close", turn_close, METH_NOARGS, nullptr},
                              {nullptr, nullptr, 0, nullptr}};

PyType_Slot turn_slots[] = {{Py_tp_doc, const_cast<char*>("What a call of pool.run() awaits.")},
                            {Py_tp_new, as_slot(turn_new)},
                            {Py_tp_dealloc, as_slot(turn_dealloc)},
                            {Py_tp_traverse, as_slot(turn_traverse)},
                            {Py_tp_clear, as_slot(turn_clear)},
                            {Py_tp_finalize, as_slot(turn_finalize)},
                            {Py_am_await, as_slot(turn_await)},
                            {Py_tp_iter, as_slot(PyObject_SelfIter)},
                            {Py_tp_iternext, as_slot(turn_next)},
#if PY_VERSION_HEX >= 0x030A0000
                            {Py_am_send, as_slot(turn_am_send)},
#endif
                            {Py_tp_methods, turn_methods},
                            {0, nullptr}};

}  // namespace

PyTypeObject* make_turn_type(State*) noexcept {
    PyType_Spec spec = {"nb_aiopool._core.Turn", static_cast<int>(sizeof(Turn)), 0,
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | immutable_type, turn_slots};
    return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

PyObject* run_now(PoolObject* pool, PyObject* awaitable, bool wrap, bool rest, bool as_guest) noexcept {
    Ref self = new_turn(pool);
    if (!self) return nullptr;
    Turn* turn = turn_of(self.get());
    turn->context = PyContext_CopyCurrent();
    turn->coro = wrap ? call(pool->state->wrap_awaitable.get(), awaitable).release() : new_ref(awaitable);
#if PY_VERSION_HEX >= 0x030C0000
    turn->task = call(pool->state->current_task.get(), pool->loop).release();
    if (turn->task == nullptr) PyErr_Clear();
#endif
    if (turn->context == nullptr || turn->coro == nullptr) {
        if (!wrap) close_coroutine(pool, awaitable);
        return nullptr;
    }
    // Only now: an allocation can start the garbage collector, and that any code.
    if (as_guest) {
        turn->guest = true;
        pool->admission.begin_as_guest(turn->entry);
    } else if (pool->admission.can_begin()) {
        pool->admission.begin(turn->entry);
    } else {
        if (wrap) close_coroutine(pool, turn->coro);
        return nullptr;
    }
    if (rest) {
        turn->yielded = new_none();
        return self.release();
    }
    Ref value;
    PyObject* send = pool->state->send.get();
    const Step step = drive(turn, value, [&](Ref& out) noexcept { return send_into(turn->coro, Py_None, send, out); });
    if (step == Step::yielded) return self.release();
    clear_fields(turn);
    // Nobody else has seen the turn: the next run() may have it.
    if (pool->spare_turn == nullptr) pool->spare_turn = self.release();
    return step == Step::returned ? value.release() : nullptr;
}

Ref turn_for_job(PoolObject* pool, PyObject* job) noexcept {
    Ref self = new_turn(pool);
    if (self) turn_of(self.get())->job = new_ref(job);
    return self;
}

void cancel_turn(Turn* turn) noexcept {
    PoolObject* pool = turn->pool;
    const Ref pool_alive = Ref::share(as_object(pool));
    if (turn->job != nullptr) {
        if (cancel_job(job_of(turn->job), nullptr) < 0) report(pool, "could not cancel a job", as_object(turn));
        return;
    }
    turn->must_cancel = true;
    if (turn->driven || turn->yielded == nullptr || turn->yielded == Py_None) return;
    Ref future = Ref::share(turn->yielded);
    Ref answer = call_method(future.get(), turn->pool->state->cancel.get());
    const int cancelled = answer ? PyObject_IsTrue(answer.get()) : -1;
    if (cancelled < 0) report(pool, "could not cancel what a job waits for", future.get());
    if (cancelled == 1) turn->must_cancel = false;
}

void abandon_turn(Turn* turn) noexcept {
    Ref alive = Ref::share(as_object(turn));
    leave_family(turn);
    if (turn->driven) return;  // its coroutine is executing this; drive() clears up
    Ref coro = Ref::own(std::exchange(turn->coro, nullptr));
    PyObject* close = turn->pool->state->close.get();
    if (coro && !call_method(coro.get(), close)) PyErr_Clear();
    clear_fields(turn);
}

}  // namespace nbaio
