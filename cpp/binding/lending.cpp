#include "binding/lending.hpp"

#include <utility>

#include "binding/job.hpp"
#include "binding/lineage.hpp"
#include "binding/pool.hpp"
#include "binding/turn.hpp"

namespace nbaio {
namespace {

/// gather() of gather() of ...: how deep it is looked into.
constexpr int deepest_gathering = 8;

// When a borrower has ended, its lender may be about to be woken by that: through the callback of a gather(), or through
// tasks and theirs. Lending on in the meantime would make it go on without its slot.
constexpr unsigned passes_for_callback = 1;
constexpr unsigned passes_for_tasks = 4;

bool is_turn(const Entry& entry) noexcept { return entry.kind == turn_entry; }

PyObject* object_of(Entry& entry) noexcept { return static_cast<PyObject*>(entry.owner); }

Lineage* lineage_of(Entry& holder) noexcept {
    return is_turn(holder) ? turn_of(holder)->lineage : job_of(holder)->lineage;
}

/// What a holder waits for; null if it executes, or gave way.
PyObject* awaited_by(Entry& holder) noexcept {
    if (is_turn(holder)) {
        Turn* turn = turn_of(holder);
        return turn->driven || turn->yielded == Py_None ? nullptr : turn->yielded;
    }
    Job* job = job_of(holder);
    return job->stepping ? nullptr : job->waits_on;
}

bool is_woken(Entry& holder) noexcept { return is_turn(holder) ? turn_of(holder)->woken : job_of(holder)->woken; }

bool waits_with_slot(Entry& holder) noexcept { return Admission::can_lend(holder) && awaited_by(holder) != nullptr; }

// -- What needs a slot among what is waited for -----------------------------------------------------------------------

Entry* find_in_gathering(PoolObject* pool, PyObject* gathering, Lineage* cursor, int depth) noexcept;

/// Work of the pool that needs a slot: the future itself, or what it gathers. Null if there is none.
Entry* find_in(PoolObject* pool, PyObject* future, Lineage* cursor, int depth) noexcept {
    State* state = pool->state;
    if (Py_TYPE(future) == state->job_type) {
        Job* job = job_of(future);
        return job->pool == pool && Admission::wants_slot(job->entry) ? &job->entry : nullptr;
    }
    if (as_object(Py_TYPE(future)) != state->gathering_type.get() || depth == deepest_gathering) return nullptr;
    return find_in_gathering(pool, future, cursor, depth);
}

/// `cursor` remembers how far it was looked through: those before have begun.
Entry* find_in_gathering(PoolObject* pool, PyObject* gathering, Lineage* cursor, int depth) noexcept {
    Ref children = Ref::own(PyObject_GetAttr(gathering, pool->state->children.get()));
    if (!children || !PyList_Check(children.get())) {
        PyErr_Clear();
        return nullptr;
    }
    Py_ssize_t at = 0;
    if (cursor != nullptr && cursor->gathering == gathering) at = cursor->looked_at;
    Entry* found = nullptr;
    for (; found == nullptr && at < PyList_GET_SIZE(children.get()); ++at) {
        found = find_in(pool, PyList_GET_ITEM(children.get(), at), nullptr, depth + 1);
    }
    if (cursor != nullptr) {
        cursor->gathering = gathering;
        // A gathering inside may hold more than the one that was found.
        cursor->looked_at = found != nullptr ? at - 1 : at;
    }
    return found;
}

// -- What needs a slot among what was set going ------------------------------------------------------------------------

Want& want_of(Entry& entry) noexcept { return is_turn(entry) ? turn_of(entry)->want : job_of(entry)->want; }

/// The future through which somebody waits for an entry that needs a slot.
PyObject* future_of(Entry& entry) noexcept {
    if (entry.place == Place::returning) return slot_waiter_of(entry);
    Job* job = job_of(entry);
    return entry.keeps_place && job->waits_on != nullptr ? job->waits_on : job->self;
}

/// Whether the end of one future leads to that of another. Runs Python code. Guarantees: an exception is left set only
/// if it is for the loop's caller.
bool leads_to(PoolObject* pool, PyObject* future, PyObject* awaited) noexcept {
    if (future == nullptr) return false;
    Ref kept = Ref::share(future);
    Ref answer = call(pool->state->leads_to.get(), future, awaited);
    const int leads = answer ? PyObject_IsTrue(answer.get()) : -1;
    // Whatever it stumbled over: rather a job too many than a deadlock.
    if (leads < 0 && PyErr_ExceptionMatches(PyExc_Exception) != 0) PyErr_Clear();
    return leads != 0;
}

/// A list of the objects that want a slot of a holder's. Empty on failure.
Ref wanting(Lineage* lineage) noexcept {
    Ref all = Ref::own(PyList_New(0));
    for (Want* want = lineage->first_want; all && want != nullptr; want = want->next) {
        if (PyList_Append(all.get(), object_of(*want->entry)) < 0) break;
    }
    PyErr_Clear();
    return all;
}

Entry& entry_of(PoolObject* pool, PyObject* object) noexcept {
    return Py_TYPE(object) == pool->state->job_type ? job_of(object)->entry : reinterpret_cast<Turn*>(object)->entry;
}

/// What holds a slot and waits, and for what. Looking further runs Python code, after which it may be otherwise.
struct Wait {
    Entry& holder;
    PyObject* future;
    [[nodiscard]] bool goes_on() const noexcept { return waits_with_slot(holder) && awaited_by(holder) == future; }
};

/// Work that the holder has set going, and that wants a slot: what leads to the end of the wait, or with `any` the first
/// that there is. Null if there is none.
Ref find_wanted(PoolObject* pool, const Wait& wait, bool any) noexcept {
    Lineage* lineage = lineage_of(wait.holder);
    if (lineage == nullptr || lineage->first_want == nullptr) return Ref();
    const Ref all = wanting(lineage);
    for (Py_ssize_t i = 0; all && i < PyList_GET_SIZE(all.get()); ++i) {
        PyObject* object = PyList_GET_ITEM(all.get(), i);
        Entry& entry = entry_of(pool, object);
        if (!Admission::wants_slot(entry)) {
            if (has_begun(entry)) drop_want(want_of(entry));
            continue;
        }
        const bool leads = any || leads_to(pool, future_of(entry), wait.future);
        if (PyErr_Occurred() != nullptr || !wait.goes_on()) return Ref();
        if (leads && Admission::wants_slot(entry)) return Ref::share(object);
    }
    return Ref();
}

// -- Lending -----------------------------------------------------------------------------------------------------------

void give_slot(PoolObject* pool, Entry& holder, Entry& borrower) noexcept {
    const Ref alive = Ref::share(object_of(borrower));
    const Ref pool_alive = Ref::share(as_object(pool));
    const Place from = borrower.place;
    if (Lineage* lineage = lineage_of(holder)) lineage->patience = passes_for_tasks;
    pool->admission.lend(holder, borrower);
    drop_want(want_of(borrower));
    if (from == Place::line) welcome(pool, borrower);
    settle_flow(pool);
}

void arm_breaker(PoolObject* pool) noexcept;

/// Lets a holder go on that waits for a slot to do so. Guarantees: as step_job.
bool wake_holder(PoolObject* pool, Entry& holder) noexcept {
    drop_want(want_of(holder));
    Ref waiter = Ref::own(std::exchange(slot_waiter_of(holder), nullptr));
    if (waiter) wake_waiter(pool, waiter.get());
    return is_turn(holder) || !job_of(holder)->woken || step_in_context(job_of(holder));
}

/// Has the holder looked at in the next pass again.
void look_again(PoolObject* pool, Entry& holder, Lineage* lineage) noexcept {
    --lineage->patience;
    pool->admission.look_at(holder);
    settle_flow(pool);
}

/// Takes an extra slot from a holder that waits for work of the pool: that gets the holder's own slot, when it is back.
void return_extra(PoolObject* pool, Entry& holder, PyObject* future) noexcept {
    Lineage* lineage = lineage_of(holder);
    const bool has_wants = lineage != nullptr && lineage->first_want != nullptr;
    if (!has_wants && find_in(pool, future, lineage, 0) == nullptr) return;
    pool->admission.return_extra_slot(holder);
    arm_breaker(pool);
    settle_flow(pool);
}

/// Lends the slot of a holder that waits, if there is work for it. `any`: whatever it has set going. Guarantees: an
/// exception is left set only if it is for the loop's caller.
void lend_on(PoolObject* pool, Entry& holder, bool any) noexcept {
    PyObject* awaited = awaited_by(holder);
    if (awaited != nullptr && Admission::has_extra_slot(holder)) return return_extra(pool, holder, awaited);
    if (!waits_with_slot(holder)) return;
    const Ref alive = Ref::share(object_of(holder));
    const Ref future = Ref::share(awaited_by(holder));
    const Wait wait{holder, future.get()};
    const Ref done = call_method(future.get(), pool->state->done.get());
    if (!done) PyErr_Clear();
    if (done.get() == Py_True || !wait.goes_on()) return;  // it is about to be woken
    Lineage* lineage = lineage_of(holder);
    if (lineage == nullptr) {
        if (Entry* found = find_in(pool, future.get(), nullptr, 0)) give_slot(pool, holder, *found);
        return;
    }
    if (lineage->patience + passes_for_callback > passes_for_tasks) return look_again(pool, holder, lineage);
    if (Entry* found = find_in(pool, future.get(), lineage, 0)) return give_slot(pool, holder, *found);
    if (lineage->first_want == nullptr) return;
    if (lineage->patience > 0) return look_again(pool, holder, lineage);
    const Ref found = find_wanted(pool, wait, any || lineage->trusted);
    if (PyErr_Occurred() != nullptr || !wait.goes_on()) return;
    if (found) {
        lineage->trusted = lineage->trusted || any;
        give_slot(pool, holder, entry_of(pool, found.get()));
    } else if (lineage->first_want != nullptr) {
        arm_breaker(pool);
    }
}

// -- The breaker -------------------------------------------------------------------------------------------------------
//
// How work that a job has set going leads back to the job cannot always be seen: a task may, say, set an event when the
// work is done. As long as nothing else of the pool moves, such work is looked at again and again, and in the end gets
// the slot on trust.

constexpr double breaker_pause = 0.01;
constexpr unsigned pauses_until_trusted = 10;

/// Guarantees: as lend_on.
void look_after(PoolObject* pool, Entry& holder, bool any) noexcept {
    Lineage* lineage = lineage_of(holder);
    if (lineage == nullptr) return;
    if (holder.place == Place::lending) {
        PyObject* future = awaited_by(holder);
        lineage->gathering = nullptr;
        const bool wants = lineage->first_want != nullptr || (future != nullptr && find_in(pool, future, lineage, 0));
        if (!wants) return;
        if (!any) return arm_breaker(pool);
        pool->admission.write_off_loan(holder);
    }
    if (lineage->first_want != nullptr) lend_on(pool, holder, any);
}

PyObject* breaker(PyObject* self, PyObject*) noexcept {
    auto* pool = reinterpret_cast<PoolObject*>(self);
    const Exclusive exclusive(self);
    pool->breaker_armed = false;
    if (!on_own_loop(pool)) return new_none();
    const Admission& admission = pool->admission;
    const std::uint64_t begun = admission.submitted() - admission.queued() - admission.at(Place::starting).size();
    pool->still_pauses = begun == pool->begun_before ? pool->still_pauses + 1 : 0;
    pool->begun_before = begun;
    const bool any = pool->still_pauses >= pauses_until_trusted;
    if (any) pool->still_pauses = 0;
    const Ref all = everything_of(pool);
    if (!all) return nullptr;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(all.get()); ++i) {
        Entry& entry = entry_of(pool, PyList_GET_ITEM(all.get(), i));
        if (entry.place == Place::returning && is_woken(entry)) {
            if (any && !wake_holder(pool, entry)) return nullptr;
            arm_breaker(pool);
        } else if (entry.place == Place::running || entry.place == Place::lending) {
            look_after(pool, entry, any);
            if (PyErr_Occurred() != nullptr) {
                arm_breaker(pool);
                return nullptr;
            }
        }
    }
    return new_none();
}
PyMethodDef breaker_def = {"pool_breaker", breaker, METH_NOARGS, nullptr};

void arm_breaker(PoolObject* pool) noexcept {
    if (pool->breaker_armed) return;
    RaisedAside aside;
    const Ref pause = Ref::own(PyFloat_FromDouble(breaker_pause));
    const Ref bound = Ref::own(PyCFunction_New(&breaker_def, as_object(pool)));
    pool->breaker_armed = true;
    if (pause && bound && call_method(pool->loop, pool->state->call_later.get(), pause.get(), bound.get())) return;
    pool->breaker_armed = false;
    report(pool, "could not look after nested work", as_object(pool));
}

/// Notes that work which somebody waits for needs a slot, with the nearest holder that may lend one.
void want(PoolObject* pool, Entry& entry, Lineage* from) noexcept {
    Want& want = want_of(entry);
    Lineage* ancestor = nearest_lineage(from, pool, &entry);
    if (ancestor != nullptr && ancestor != want.of) {
        drop_want(want);
        want.entry = &entry;
        add_want(ancestor, want);
    }
    if (want.of == nullptr) return;
    Entry& holder = *want.of->holder;
    if (Admission::has_extra_slot(holder)) return arm_breaker(pool);  // its own slot may come back any time
    if (holder.place != Place::running || !waits_with_slot(holder)) return;
    // Not at once: whoever waits may be only about to say for what.
    pool->admission.look_at(holder);
    settle_flow(pool);
}

/// Has a holder looked at again whose look was ended by an exception for the loop's caller. Guarantees: false.
bool interrupted(PoolObject* pool, Entry& holder) noexcept {
    if (waits_with_slot(holder)) pool->admission.look_at(holder);
    return false;
}

}  // namespace

PyObject*& slot_waiter_of(Entry& holder) noexcept {
    if (is_turn(holder)) return turn_of(holder)->slot_waiter;
    return job_of(holder)->slot_waiter;
}

void wait_with_slot(PoolObject* pool, Entry& holder, PyObject* future) noexcept {
    const bool has_extra = Admission::has_extra_slot(holder);
    if (!has_extra && !Admission::can_lend(holder)) return;
    Lineage* lineage = lineage_of(holder);
    if (lineage != nullptr) {
        lineage->gathering = nullptr;
        lineage->patience = 0;
        lineage->trusted = false;
        lineage->ended_before = pool->admission.ended();
    }
    if (has_extra) return return_extra(pool, holder, future);
    if (Entry* found = find_in(pool, future, lineage, 0)) return give_slot(pool, holder, *found);
    if (lineage == nullptr || lineage->first_want == nullptr) return;
    pool->admission.look_at(holder);
    settle_flow(pool);
}

void want_slot(Job* job) noexcept {
    if (has_begun(job->entry) || job->entry.place == Place::outside) return;
    // Who waits for it matters, and only then who submitted it.
    LineageRef lineage = current_lineage(job->state);
    if (nearest_lineage(lineage.get(), job->pool, nullptr) == nullptr) lineage = lineage_in(job->state, job->context);
    if (lineage.get() != nullptr) want(job->pool, job->entry, lineage.get());
}

void want_slot_back(PoolObject* pool, Entry& holder) noexcept {
    const Lineage* own = lineage_of(holder);
    if (own != nullptr && own->parent != nullptr) want(pool, holder, own->parent);
}

void look_at_holders(PoolObject* pool) noexcept {
    Entry* next = nullptr;
    for (Entry* holder = pool->admission.at(Place::running).front(); holder != nullptr; holder = next) {
        next = holder->next;
        if (!waits_with_slot(*holder)) continue;
        if (Lineage* lineage = lineage_of(*holder)) lineage->gathering = nullptr;
        pool->admission.look_at(*holder);
    }
}

void go_on(PoolObject* pool, Entry& holder) noexcept {
    pool->admission.go_on(holder);
    drop_want(want_of(holder));
    Ref waiter = Ref::own(std::exchange(slot_waiter_of(holder), nullptr));
}

bool waits_for_slot(PoolObject* pool, Entry& holder, bool urgent) noexcept {
    const Lineage* lineage = lineage_of(holder);
    if (holder.place != Place::lending || urgent || lineage == nullptr) return false;
    // Nothing of the pool has ended since the wait began, so it was something else.
    if (pool->admission.ended() == lineage->ended_before) return false;
    pool->admission.want_back(holder);
    arm_breaker(pool);
    settle_flow(pool);
    return true;
}

bool settle_loans(PoolObject* pool) noexcept {
    for (std::size_t left = pool->admission.at(Place::repaid).size(); left > 0; --left) {
        Entry* holder = pool->admission.next_repaid();
        if (holder == nullptr) break;
        const Ref alive = Ref::share(object_of(*holder));
        if (slot_waiter_of(*holder) != nullptr || is_woken(*holder)) {
            if (!wake_holder(pool, *holder)) return false;
        } else {
            drop_want(want_of(*holder));
            lend_on(pool, *holder, false);
            if (PyErr_Occurred() != nullptr) return interrupted(pool, *holder);
        }
    }
    return true;
}

}  // namespace nbaio
