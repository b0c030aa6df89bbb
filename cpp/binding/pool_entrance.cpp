// The ways into the pool. Each call is the whole truth about one offer: it accepts, refuses with an error and a closed
// coroutine, or says that the producer must wait. The coroutines of pool.py only do the waiting.
#include "binding/arrival.hpp"
#include "binding/batch.hpp"
#include "binding/job.hpp"
#include "binding/lending.hpp"
#include "binding/lineage.hpp"
#include "binding/offer.hpp"
#include "binding/pool.hpp"
#include "binding/turn.hpp"
#include "binding/wanted_work.hpp"

namespace nbaio {
namespace {

PoolObject* pool_of(PyObject* self) noexcept { return reinterpret_cast<PoolObject*>(self); }

/// What holds for every offer. Guarantees: false with an exception set.
bool may_enter(PoolObject* pool, PyObject* object, Kind& kind) noexcept {
    kind = kind_of(pool->state, object);
    if (kind == Kind::wrong || !use_running_loop(pool)) return false;
    return !pool->closed || serves_closed_pool(pool);
}

/// Guarantees: false with an exception set if `future` cannot stand for a job of this pool.
bool check_sink(PoolObject* pool, PyObject* future) noexcept {
    State* state = pool->state;
    Ref blocking = Ref::own(PyObject_GetAttr(as_object(Py_TYPE(future)), state->future_blocking.get()));
    if (!blocking) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return false;
        PyErr_Clear();
        PyErr_Format(PyExc_TypeError, "future must be an asyncio future, got %R (%.200s)", future,
                     Py_TYPE(future)->tp_name);
        return false;
    }
    const int is_task = Py_TYPE(future) == state->job_type ? 1 : PyObject_IsInstance(future, state->task_type.get());
    if (is_task != 0) {
        if (is_task > 0) {
            PyErr_Format(PyExc_TypeError,
                         "future must be one whose result can be set, as loop.create_future() makes it, got %R",
                         future);
        }
        return false;
    }
    Ref loop = call_method(future, state->get_loop.get());
    if (!loop) return false;
    if (loop.get() != pool->loop) {
        PyErr_Format(PyExc_ValueError, "future belongs to another event loop than the pool: %R", future);
        return false;
    }
    Ref done = call_method(future, state->done.get());
    const int is_done = done ? PyObject_IsTrue(done.get()) : -1;
    if (is_done == 1) PyErr_Format(state->invalid_state_error.get(), "future is done already: %R", future);
    return is_done == 0;
}

/// Whether the producers' share of the loop's time is spent. The pump renews it, so one must be due.
bool producers_must_rest(PoolObject* pool) noexcept {
    if (pool->producer_budget.spent()) return true;
    if (pool->producer_budget.begun() && !schedule_pump(pool)) PyErr_Clear();
    return false;
}

PyObject* accept(PoolObject* pool, Ref job) noexcept {
    Job* entrant = job_of(job.get());
    pool->admission.accept(entrant->entry);
    count_in_batch(entrant);
    own_job(entrant);
    note_accepted(pool, entrant);
    if (entrant->seen().sink == nullptr) return job.release();
    want_slot(entrant);  // the job itself is never waited for
    return new_ref(answer_of(job.get()));
}

/// The answer to a producer that must wait: its arrival. Requires: the job has details.
PyObject* stand_in_line(PoolObject* pool, const Ref& job, Ref waiter, Ref arrival) noexcept {
    Job* entrant = job_of(job.get());
    entrant->details()->waits_on = waiter.release();
    // There may be room, if the producer only rests: the pump, which is due, admits it then. Not before, or the producer
    // would find its future done and not give way to the loop at all.
    pool->admission.stand_in_line(entrant->entry, true);
    count_in_batch(entrant);
    own_job(entrant);
    want_slot(entrant);
    return arrival.release();
}

/// The same for a producer that is a job of the pool: what it submits is accepted, in its own slot if there is no other,
/// and it waits for a slot to go on; or it only rests, and goes on with the next pass. Requires: the holder can lend, and
/// has no slot waiter; the job has details.
PyObject* accept_from_inside(PoolObject* pool, Entry& holder, const Ref& job, Ref waiter, Ref arrival) noexcept {
    dealings_of(holder)->slot_waiter = waiter.release();
    Entry& entry = job_of(job.get())->entry;
    if (pool->admission.welcomes()) {
        pool->admission.accept(entry);
        pool->admission.look_at(holder);
    } else {
        pool->admission.accept_on_loan(holder, entry);
    }
    count_in_batch(job_of(job.get()));
    own_job(job_of(job.get()));
    note_accepted(pool, job_of(job.get()));
    if (job_of(job.get())->seen().sink != nullptr) want_slot(job_of(job.get()));
    if (holder.place == Place::returning) want_slot_back(pool, holder);
    return arrival.release();
}

/// One offer. Requires: the pool may be entered. Guarantees: the job or its future=, or an Arrival to await for it, or null
/// with an exception set and the coroutine closed.
PyObject* offer(PoolObject* pool, PyObject* object, Kind kind, bool block, PyObject* sink,
                SinkKind sink_kind = SinkKind::future) noexcept {
    const Ref loop = Ref::share(pool->loop);
    const bool rests = block && producers_must_rest(pool);
    if (!block && pool->admission.spare_room() == 0) return refuse_full(pool, object);
    Ref job = make_job(pool, object, kind, sink);
    if (!job || !schedule_pump(pool)) return refuse(pool, job ? job_of(job.get())->coro : object);
    job_of(job.get())->sink_kind = sink_kind;
    if (sink != nullptr && sink_kind == SinkKind::future && !watch_sink(job_of(job.get()))) {
        return refuse(pool, job_of(job.get())->coro);
    }
    // Only now: all of the above can run other code.
    if (!is_still_bound(pool, loop.get())) return refuse(pool, job_of(job.get())->coro);
    const bool may_come_in = block ? !rests && pool->admission.welcomes() : make_way(pool, 1);
    if (may_come_in) return accept(pool, std::move(job));
    if (!block) return refuse_full(pool, job_of(job.get())->coro);
    Ref waiter = call_method(pool->loop, pool->state->create_future.get());
    Ref arrival = waiter && have_details(job_of(job.get())) ? new_arrival(pool, job.get(), waiter.get()) : Ref();
    if (!arrival || !is_still_bound(pool, loop.get())) return refuse(pool, job_of(job.get())->coro);
    Entry* holder = holder_inside(pool);
    if (holder != nullptr && Admission::can_lend(*holder) && slot_waiter_of(*holder) == nullptr) {
        return accept_from_inside(pool, *holder, job, std::move(waiter), std::move(arrival));
    }
    return stand_in_line(pool, job, std::move(waiter), std::move(arrival));
}

}  // namespace

PyObject* offer_to_batch(PoolObject* pool, PyObject* coro, PyObject* batch) noexcept {
    Kind kind = Kind::wrong;
    if (!may_enter(pool, coro, kind)) return refuse(pool, coro);
    return offer(pool, coro, kind, true, batch, SinkKind::batch);
}

PyObject* pool_submit_nowait(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) noexcept {
    const Exclusive exclusive(self);
    PoolObject* pool = pool_of(self);
    PyObject* awaitable = nullptr;
    if (!parse_one("submit_nowait", "coro", args, count, names, awaitable)) return nullptr;
    if (awaitable == nullptr) {
        PyErr_SetString(PyExc_TypeError, "submit_nowait() missing 1 required argument: 'coro'");
        return nullptr;
    }
    Kind kind = Kind::wrong;
    if (!may_enter(pool, awaitable, kind)) return refuse(pool, awaitable);
    return offer(pool, awaitable, kind, false, nullptr);
}

PyObject* pool_offer(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept {
    const Exclusive exclusive(self);
    PoolObject* pool = pool_of(self);
    if (count != 3) {
        PyErr_Format(PyExc_TypeError, "_native_offer() takes 3 arguments (%zd given)", count);
        return nullptr;
    }
    PyObject* sink = args[2] == Py_None ? nullptr : args[2];
    Kind kind = Kind::wrong;
    const int block = flag("block", args[1]);
    if (block < 0) refuse(pool, args[1]);  // another coroutine, perhaps
    if (block < 0 || !may_enter(pool, args[0], kind) || (sink != nullptr && !check_sink(pool, sink))) {
        return refuse(pool, args[0]);
    }
    return offer(pool, args[0], kind, block == 1, sink);
}

PyObject* pool_offer_all(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept {
    const Exclusive exclusive(self);
    PoolObject* pool = pool_of(self);
    if (count != 2 || !PyList_CheckExact(args[0])) {
        PyErr_SetString(PyExc_TypeError, "_native_offer_all() takes a list, and whether there is more");
        return nullptr;
    }
    PyObject* awaitables = args[0];
    const int more = flag("more", args[1]);
    if (more < 0) return nullptr;
    Ref jobs = Ref::own(PyList_New(0));
    bool good = static_cast<bool>(jobs) && use_running_loop(pool);
    const Ref loop = Ref::share(pool->loop);
    for (Py_ssize_t i = 0; good && i < PyList_GET_SIZE(awaitables); ++i) {
        Ref object = Ref::share(PyList_GET_ITEM(awaitables, i));
        Kind kind = Kind::wrong;
        good = may_enter(pool, object.get(), kind);
        if (!good) break;
        Ref job = make_job(pool, object.get(), kind, nullptr);
        good = job && PyList_Append(jobs.get(), job.get()) == 0;
    }
    good = good && (PyList_GET_SIZE(jobs.get()) == 0 || schedule_pump(pool));
    good = good && is_still_bound(pool, loop.get());
    const std::size_t wanted = good ? static_cast<std::size_t>(PyList_GET_SIZE(jobs.get())) : 0;
    if (good && (more == 1 || (wanted > 0 && !make_way(pool, wanted)))) {
        PyErr_Format(pool->state->pool_full.get(),
                     "the pool is full: no room for %zu jobs or more beside %zu running (limit %zu), %zu "
                     "queued (limit %zu) and %zu waiting; wait for room, or raise the limits; see docs/errors.md",
                     wanted, pool->admission.running(), pool->admission.max_running(), pool->admission.queued(),
                     pool->admission.max_queued(), pool->admission.waiting());
        good = false;
    }
    if (!good) {
        // Only the coroutines that were made here: the caller closes what it passed.
        RaisedAside aside;
        for (Py_ssize_t i = 0; jobs && i < PyList_GET_SIZE(jobs.get()); ++i) {
            PyObject* coro = job_of(PyList_GET_ITEM(jobs.get(), i))->coro;
            if (i >= PyList_GET_SIZE(awaitables) || PyList_GET_ITEM(awaitables, i) != coro) close_coroutine(pool, coro);
        }
        return nullptr;
    }
    for (std::size_t i = 0; i < wanted; ++i) {
        Job* job = job_of(PyList_GET_ITEM(jobs.get(), static_cast<Py_ssize_t>(i)));
        pool->admission.accept(job->entry);
        own_job(job);
        job->accepted = true;  // each of them, before anything else can run
    }
    for (std::size_t i = 0; pool->debug && i < wanted; ++i) {
        register_job(pool, job_of(PyList_GET_ITEM(jobs.get(), static_cast<Py_ssize_t>(i))));
    }
    return jobs.release();
}

PyObject* pool_check(PyObject* self, PyObject* awaitable) noexcept {
    return kind_of(pool_of(self)->state, awaitable) == Kind::wrong ? nullptr : new_none();
}

PyObject* pool_discard(PyObject* self, PyObject* closable) noexcept {
    close_coroutine(pool_of(self), closable);
    return new_none();
}

PyObject* pool_room(PyObject* self, PyObject*) noexcept {
    const Exclusive exclusive(self);
    return PyLong_FromSize_t(pool_of(self)->admission.spare_room());
}

PyObject* pool_lineage(PyObject* self, PyObject*) noexcept {
    LineageRef lineage = current_lineage(pool_of(self)->state);
    return lineage.get() != nullptr ? lineage.object.release() : new_none();
}

PyObject* pool_lineage_in(PyObject* self, PyObject* context) noexcept {
    if (PyContext_CheckExact(context) == 0) return new_none();
    LineageRef lineage = lineage_in(pool_of(self)->state, context);
    return lineage.get() != nullptr ? lineage.object.release() : new_none();
}

PyObject* pool_want(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept {
    const Exclusive exclusive(self);
    State* state = pool_of(self)->state;
    if (count != 2 || (args[1] != Py_None && Py_TYPE(args[1]) != state->lineage_type)) {
        PyErr_SetString(PyExc_TypeError, "_native_want() takes a future, and a lineage or None");
        return nullptr;
    }
    if (Py_TYPE(args[0]) == state->job_type && job_of(args[0])->pool() == pool_of(self)) {
        want_slot_for(job_of(args[0]), args[1] != Py_None ? reinterpret_cast<Lineage*>(args[1]) : nullptr);
    }
    return new_none();
}

PyObject* pool_run(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept {
    const Exclusive exclusive(self);
    PoolObject* pool = pool_of(self);
    if (count != 3) {
        PyErr_Format(PyExc_TypeError, "_native_run() takes 3 arguments (%zd given)", count);
        return nullptr;
    }
    PyObject* object = args[0];
    PyObject* sink = args[2] == Py_None ? nullptr : args[2];
    const int block = flag("block", args[1]);
    Kind kind = Kind::wrong;
    if (block < 0) refuse(pool, args[1]);
    if (block < 0 || !may_enter(pool, object, kind) || (sink != nullptr && !check_sink(pool, sink))) {
        return refuse(pool, object);
    }
    const Ref loop = Ref::share(pool->loop);
    const bool rests = producers_must_rest(pool);
    if (!is_still_bound(pool, loop.get())) return refuse(pool, object);
    const bool wrap = kind == Kind::awaitable;
    const bool as_guest = is_inside(pool);
    if (sink == nullptr && (as_guest || pool->admission.can_begin())) {
        Ref outcome = Ref::own(run_now(pool, object, wrap, rests, as_guest));
        if (outcome || PyErr_Occurred() != nullptr) return outcome.release();
    }
    if (block == 0 && pool->admission.spare_room() == 0) return refuse_full(pool, object);

    // Behind those that came earlier, as a job of its own that the caller awaits.
    Ref job = make_job(pool, object, kind, sink);
    if (!job || !schedule_pump(pool)) return refuse(pool, job ? job_of(job.get())->coro : object);
    if (sink != nullptr && !watch_sink(job_of(job.get()))) return refuse(pool, job_of(job.get())->coro);
    Entry& entry = job_of(job.get())->entry;
    Ref turn = turn_for_job(pool, job.get());
    if (!turn || !is_still_bound(pool, loop.get())) return refuse(pool, job_of(job.get())->coro);
    if (block == 0 ? make_way(pool, 1) : pool->admission.welcomes()) {
        pool->admission.accept(entry);
        own_job(job_of(job.get()));
        note_accepted(pool, job_of(job.get()));
    } else if (block == 0) {
        return refuse_full(pool, job_of(job.get())->coro);
    } else {
        pool->admission.stand_in_line(entry, false);
        own_job(job_of(job.get()));
        settle_flow(pool);
    }
    return turn.release();
}

}  // namespace nbaio
