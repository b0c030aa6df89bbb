#include "binding/lending.hpp"

#include <utility>

#include "binding/job.hpp"
#include "binding/lineage.hpp"
#include "binding/pool.hpp"
#include "binding/turn.hpp"
#include "binding/wanted_work.hpp"

namespace nbaio {
namespace {

// When a borrower has ended, its lender may be about to be woken by that: through the callback of a gather(), or through
// tasks and theirs. Lending on in the meantime would make it go on without its slot.
constexpr unsigned passes_for_callback = 1;
constexpr unsigned passes_for_tasks = 4;

// -- Lending -----------------------------------------------------------------------------------------------------------

void arm_breaker(PoolObject* pool) noexcept;

void give_slot(PoolObject* pool, Entry& holder, Entry& borrower) noexcept {
    const Ref alive = Ref::share(object_of(borrower));
    const Ref pool_alive = Ref::share(as_object(pool));
    if (!have_dealings(borrower)) {
        PyErr_Clear();
        return arm_breaker(pool);  // there may be memory later
    }
    const Place from = borrower.place;
    if (Lineage* lineage = lineage_of(holder)) lineage->patience = passes_for_tasks;
    pool->admission.lend(holder, borrower);
    forget_want(borrower);
    if (from == Place::line) welcome(pool, borrower);
    settle_flow(pool);
}

/// Lets a holder go on that waits for a slot to do so. Guarantees: as step_job.
bool wake_holder(PoolObject* pool, Entry& holder) noexcept {
    forget_want(holder);
    Ref waiter = take_slot_waiter(holder);
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
    if (!has_wants(holder) && find_in(pool, future, lineage) == nullptr) return;
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
        if (Entry* found = find_in(pool, future.get(), nullptr)) give_slot(pool, holder, *found);
        return;
    }
    if (lineage->patience + passes_for_callback > passes_for_tasks) return look_again(pool, holder, lineage);
    if (Entry* found = find_in(pool, future.get(), lineage)) return give_slot(pool, holder, *found);
    if (!has_wants(holder)) return;
    if (lineage->patience > 0) return look_again(pool, holder, lineage);
    const Ref found = find_wanted(pool, wait, any || lineage->trusted);
    if (PyErr_Occurred() != nullptr || !wait.goes_on()) return;
    if (found) {
        lineage->trusted = lineage->trusted || any;
        give_slot(pool, holder, entry_of(pool, found.get()));
    } else if (has_wants(holder)) {
        arm_breaker(pool);
    }
}

// -- The breaker -------------------------------------------------------------------------------------------------------
//
// How work that a job has set going leads back to the job cannot always be seen: a task may, say, set an event when the
// work is done. As long as nothing else of the pool moves, such work is looked at again and again, and in the end gets
// the slot on trust, one at a time. A look takes no longer than a pass of the pump, but for the search that it ends with:
// where there are many holders, a round of them takes several looks.

constexpr double breaker_pause = 0.01;
constexpr unsigned pauses_until_trusted = 10;
constexpr unsigned pauses_until_written_off = 100;
/// How long at most a holder that was woken waits for a slot to go on.
constexpr unsigned pauses_until_woken = 10;

/// Guarantees: as lend_on.
void look_after(PoolObject* pool, Entry& holder, bool any) noexcept {
    Lineage* lineage = lineage_of(holder);
    if (lineage == nullptr) return;
    const bool may_exceed = pool->admission.slots_used() <= pool->admission.max_running();
    if (holder.place == Place::lending) {
        PyObject* future = awaited_by(holder);
        lineage->gathering = nullptr;
        const bool wants = lineage->first_want != nullptr || (future != nullptr && find_in(pool, future, lineage));
        if (!wants) return;
        arm_breaker(pool);
        if (!may_exceed || pool->still_pauses < pauses_until_written_off) return;
        pool->still_pauses = 0;
        pool->admission.write_off_loan(holder);
    }
    if (has_wants(holder)) lend_on(pool, holder, any && may_exceed);
}

/// Whether a holder that was woken has waited for its slot for long enough.
bool is_overdue(Entry& holder) noexcept {
    Lineage* lineage = lineage_of(holder);
    if (lineage == nullptr || lineage->patience == 0) return true;
    return --lineage->patience == 0;
}

/// Decides where a look begins: where the last one ended, or anew if that came to the end; and anew, and on trust, each time
/// that nothing has begun for so long.
void begin_look(PoolObject* pool, Py_ssize_t holders) noexcept {
    const Admission& admission = pool->admission;
    const std::uint64_t begun = admission.submitted() - admission.queued() - admission.at(Place::starting).size();
    pool->still_pauses = begun == pool->begun_before ? pool->still_pauses + 1 : 0;
    pool->begun_before = begun;
    const bool is_time_for_trust = pool->still_pauses != 0 && pool->still_pauses % pauses_until_trusted == 0;
    if (pool->breaker_at < holders && !is_time_for_trust) return;
    pool->breaker_at = 0;
    pool->breaker_trusts = is_time_for_trust;
}

/// Wakes those that have waited for their slots for long enough. Guarantees: false with an exception set that is for the
/// loop's caller.
bool wake_overdue(PoolObject* pool) noexcept {
    const Ref all = objects_at(pool, {Place::returning});
    for (Py_ssize_t i = 0; all && i < PyList_GET_SIZE(all.get()); ++i) {
        Entry& entry = entry_of(pool, PyList_GET_ITEM(all.get(), i));
        if (entry.place != Place::returning || !is_woken(entry)) continue;
        arm_breaker(pool);
        if (is_overdue(entry) && !wake_holder(pool, entry)) return false;
    }
    return static_cast<bool>(all);
}

/// Looks after one holder after the other until the time for it is over; the next call goes on from there. Guarantees: as
/// above.
bool look_after_some(PoolObject* pool) noexcept {
    const Ref all = objects_at(pool, {Place::running, Place::lending});
    if (!all) return false;
    begin_look(pool, PyList_GET_SIZE(all.get()));
    const bool begins_anew = pool->breaker_at == 0;
    Budget& budget = pool->breaker_budget;
    budget.renew();
    budget.start();
    while (pool->breaker_at < PyList_GET_SIZE(all.get())) {
        Entry& entry = entry_of(pool, PyList_GET_ITEM(all.get(), pool->breaker_at++));
        if (entry.place == Place::running || entry.place == Place::lending)
            look_after(pool, entry, pool->breaker_trusts);
        if (PyErr_Occurred() != nullptr) return false;
        budget.look();
        if (budget.spent()) break;
    }
    // Some were not looked at this time, and they may be the ones with something to look for.
    if (!begins_anew || pool->breaker_at < PyList_GET_SIZE(all.get())) arm_breaker(pool);
    return true;
}

PyObject* breaker(PyObject* self, PyObject*) noexcept {
    PoolObject* pool = pool_of_handle(self);
    if (pool == nullptr) return new_none();
    const Ref alive = Ref::share(as_object(pool));
    const Exclusive exclusive(as_object(pool));
    if (!on_own_loop(pool)) return new_none();  // the pool has moved, and its breaker with it
    pool->breaker_armed = false;
    pool->breaker_looks = true;
    const bool looked = wake_overdue(pool) && look_after_some(pool);
    pool->breaker_looks = false;
    if (looked) return new_none();
    RaisedAside aside;
    arm_breaker(pool);
    return nullptr;
}
PyMethodDef breaker_def = {"pool_breaker", breaker, METH_NOARGS, nullptr};

void arm_breaker(PoolObject* pool) noexcept {
    if (pool->breaker_armed) return;
    RaisedAside aside;
    const Ref pause = Ref::own(PyFloat_FromDouble(breaker_pause));
    // The timer must not keep a pool that nobody else holds.
    PyObject* handle = handle_of(pool);
    const Ref bound = handle != nullptr ? Ref::own(PyCFunction_New(&breaker_def, handle)) : Ref();
    const Ref loop = Ref::share(pool->loop);
    State* state = pool->state;
    pool->breaker_armed = true;
    if (pause && bound) {
        // From another thread it cannot be later, and arms itself again.
        if (on_own_loop(pool) ? call_method(loop.get(), state->call_later.get(), pause.get(), bound.get())
                              : call_method(loop.get(), state->call_soon_threadsafe.get(), bound.get())) {
            return;
        }
    }
    pool->breaker_armed = false;
    report(pool, "could not look after nested work", as_object(pool));
}

/// Notes that work which somebody waits for needs a slot, with the nearest holder that may lend one.
void want(PoolObject* pool, Entry& entry, Lineage* from) noexcept {
    if (!have_dealings(entry)) return report(pool, "could not note that nested work needs a slot", object_of(entry));
    Want& want = dealings_of(entry)->want;
    Lineage* ancestor = nearest_lineage(from, pool, &entry);
    if (ancestor != nullptr && ancestor != want.of) {
        drop_want(want);
        want.entry = &entry;
        add_want(ancestor, want);
    }
    if (want.of != nullptr) reconsider(pool, *want.of->holder);
}

/// Has a holder looked at again whose look was ended by an exception for the loop's caller. Guarantees: false.
bool interrupted(PoolObject* pool, Entry& holder) noexcept {
    if (waits_with_slot(holder)) pool->admission.look_at(holder);
    return false;
}

}  // namespace

void wait_with_slot(PoolObject* pool, Entry& holder, PyObject* future) noexcept {
    const bool has_extra = Admission::has_extra_slot(holder);
    if (!has_extra && !Admission::can_lend(holder)) return;
    Lineage* lineage = lineage_of(holder);
    if (lineage != nullptr) {
        lineage->gathering = nullptr;
        // What has ended since the last wait may be about to end this one.
        lineage->patience = lineage->ended_before != pool->admission.ended() ? passes_for_tasks : 0;
        lineage->trusted = false;
        lineage->ended_before = pool->admission.ended();
    }
    if (has_extra) return return_extra(pool, holder, future);
    if (Entry* found = find_in(pool, future, lineage)) return give_slot(pool, holder, *found);
    if (!has_wants(holder)) return;
    pool->admission.look_at(holder);
    settle_flow(pool);
}

void want_slot(Job* job) noexcept { want_slot_for(job, current_lineage(job->state()).get()); }

void want_slot_for(Job* job, Lineage* of_waiter) noexcept {
    if (has_begun(job->entry) || job->entry.place == Place::outside) return;
    // Who waits for it matters, and only then who submitted it.
    if (nearest_lineage(of_waiter, job->pool(), nullptr) != nullptr) return want(job->pool(), job->entry, of_waiter);
    const LineageRef of_submitter = lineage_in(job->state(), job->context);
    if (of_submitter.get() != nullptr) want(job->pool(), job->entry, of_submitter.get());
}

void want_slot_back(PoolObject* pool, Entry& holder) noexcept {
    const Lineage* own = lineage_of(holder);
    if (own != nullptr && own->parent != nullptr) want(pool, holder, own->parent);
}

void reconsider(PoolObject* pool, Entry& holder) noexcept {
    Entry* last = &holder;  // who has the slot now
    while (last->borrower() != nullptr && !last->has_slot) last = last->borrower();
    if (last->place == Place::running && waits_with_slot(*last)) {
        // Not at once: whoever waits may be only about to say for what.
        pool->admission.look_at(*last);
        settle_flow(pool);
    } else if (&holder != last || Admission::has_extra_slot(holder) || holder.place != Place::running) {
        arm_breaker(pool);  // its slot may come back any time
    }
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
    forget_want(holder);
    Ref waiter = take_slot_waiter(holder);
}

bool waits_for_slot(PoolObject* pool, Entry& holder, bool urgent) noexcept {
    Lineage* lineage = lineage_of(holder);
    if (holder.place != Place::lending || urgent || lineage == nullptr) return false;
    // Nothing of the pool has ended since the wait began, so it was something else.
    if (pool->admission.ended() == lineage->ended_before) return false;
    lineage->patience = pauses_until_woken;
    pool->admission.want_back(holder);
    arm_breaker(pool);
    settle_flow(pool);
    return true;
}

bool settle_loans(PoolObject* pool) noexcept {
    for (std::size_t left = pool->admission.at(Place::repaid).size(); left > 0; --left) {
        if (pool->pass_budget.spent()) break;
        Entry* holder = pool->admission.next_repaid();
        if (holder == nullptr) break;
        const Ref alive = Ref::share(object_of(*holder));
        if (slot_waiter_of(*holder) != nullptr || is_woken(*holder)) {
            if (!wake_holder(pool, *holder)) return false;
        } else {
            forget_want(*holder);
            lend_on(pool, *holder, false);
            if (PyErr_Occurred() != nullptr) return interrupted(pool, *holder);
        }
    }
    return true;
}

}  // namespace nbaio
