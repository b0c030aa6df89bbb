#include "binding/wanted_work.hpp"

#include "binding/job.hpp"
#include "binding/pool.hpp"
#include "binding/turn.hpp"

namespace nbaio {

namespace {
/// gather() of gather() of ...: how deep it is looked into.
constexpr int deepest_gathering = 8;
}  // namespace

bool is_turn(const Entry& entry) noexcept { return entry.kind == turn_entry; }

PyObject* object_of(Entry& entry) noexcept {
    return is_turn(entry) ? as_object(turn_of(entry)) : job_of(entry)->self();
}

Lineage* lineage_of(Entry& holder) noexcept {
    const Dealings* dealings = dealings_of(holder);
    return dealings != nullptr ? dealings->lineage : nullptr;
}

/// What a holder waits for; null if it executes, or gave way.
PyObject* awaited_by(Entry& holder) noexcept {
    if (is_turn(holder)) {
        Turn* turn = turn_of(holder);
        return turn->driven || turn->yielded == Py_None ? nullptr : turn->yielded;
    }
    Job* job = job_of(holder);
    return job->stepping ? nullptr : job->seen().waits_on;
}

bool is_woken(Entry& holder) noexcept { return is_turn(holder) ? turn_of(holder)->woken : job_of(holder)->woken; }

bool waits_with_slot(Entry& holder) noexcept { return Admission::can_lend(holder) && awaited_by(holder) != nullptr; }

// -- What needs a slot among what is waited for -----------------------------------------------------------------------

namespace {
Entry* find_in_gathering(PoolObject* pool, PyObject* gathering, Lineage* cursor, int depth) noexcept;
}  // namespace

/// Work of the pool that needs a slot: the future itself, or what it gathers. Null if there is none.
Entry* find_in(PoolObject* pool, PyObject* future, Lineage* cursor, int depth) noexcept {
    State* state = pool->state;
    if (Py_TYPE(future) == state->job_type) {
        Job* job = job_of(future);
        return job->pool() == pool && Admission::wants_slot(job->entry) ? &job->entry : nullptr;
    }
    const PyObject* type = as_object(Py_TYPE(future));
    const bool gathers = type == state->gathering_type.get() || type == state->new_batch_waiter.get();
    if (!gathers || depth == deepest_gathering) return nullptr;
    return find_in_gathering(pool, future, cursor, depth);
}

namespace {
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
}  // namespace

// -- What needs a slot among what was set going ------------------------------------------------------------------------

void forget_want(Entry& entry) noexcept {
    if (Dealings* dealings = dealings_of(entry)) drop_want(dealings->want);
}

namespace {
/// The future through which somebody waits for an entry that needs a slot.
PyObject* future_of(Entry& entry) noexcept {
    if (entry.place == Place::returning) return slot_waiter_of(entry);
    Job* job = job_of(entry);
    PyObject* producers = entry.keeps_place ? job->seen().waits_on : nullptr;
    return producers != nullptr ? producers : job->self();
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
}  // namespace

Entry& entry_of(PoolObject* pool, PyObject* object) noexcept {
    return Py_TYPE(object) == pool->state->job_type ? job_of(object)->entry : reinterpret_cast<Turn*>(object)->entry;
}

namespace {
/// How far up a chain of lenders their work is looked at, and how many searches a look may make.
constexpr int most_lenders = 64;
constexpr int most_searches = 8;
}  // namespace

/// Whether there is work that the holder, or those whose slot it has, have set going, and that may want a slot.
bool has_wants(Entry& holder) noexcept {
    Entry* it = &holder;
    for (int i = 0; i < most_lenders && it != nullptr; ++i, it = it->lender()) {
        const Lineage* lineage = lineage_of(*it);
        if (lineage != nullptr && lineage->first_want != nullptr) return true;
    }
    return false;
}

namespace {
/// Looks through the wants of one lineage. What does not lead to the end of the wait goes to the end of the list, so that
/// the next look begins with others.
Ref find_among(PoolObject* pool, const Wait& wait, Lineage* lineage, bool any, int& searches) noexcept {
    const Ref all = wanting(lineage);
    for (Py_ssize_t i = 0; all && i < PyList_GET_SIZE(all.get()) && searches > 0; ++i) {
        PyObject* object = PyList_GET_ITEM(all.get(), i);
        Entry& entry = entry_of(pool, object);
        if (!Admission::wants_slot(entry)) {
            if (has_begun(entry)) forget_want(entry);
            continue;
        }
        --searches;
        const bool leads = any || leads_to(pool, future_of(entry), wait.future);
        if (pool->breaker_looks) pool->breaker_budget.look();
        if (pool->breaker_looks && pool->breaker_budget.spent()) searches = 0;
        if (PyErr_Occurred() != nullptr || !wait.goes_on()) return Ref();
        if (leads && Admission::wants_slot(entry)) return Ref::share(object);
        Dealings* dealings = dealings_of(entry);
        if (Lineage* of = dealings != nullptr ? dealings->want.of : nullptr) {
            drop_want(dealings->want);
            add_want(of, dealings->want);
        }
    }
    return Ref();
}
}  // namespace

/// Work that the holder, or one whose slot it has, has set going, and that wants a slot: what leads to the end of the wait,
/// or with `any` the first of its own that there is. Null if none was found.
Ref find_wanted(PoolObject* pool, const Wait& wait, bool any) noexcept {
    int searches = most_searches;
    Entry* it = &wait.holder;
    for (int i = 0; i < most_lenders && it != nullptr; ++i, it = it->lender()) {
        Lineage* lineage = lineage_of(*it);
        if (lineage == nullptr || lineage->first_want == nullptr) continue;
        const Ref alive = Ref::share(object_of(*it));
        Ref found = find_among(pool, wait, lineage, any && it == &wait.holder, searches);
        if (found || PyErr_Occurred() != nullptr || !wait.goes_on()) return found;
        if (!is_under_way(*it)) return Ref();  // it has ended meanwhile, and is in no chain
    }
    return Ref();
}

PyObject* slot_waiter_of(const Entry& holder) noexcept {
    const Dealings* dealings = dealings_of(holder);
    return dealings != nullptr ? dealings->slot_waiter : nullptr;
}

Ref take_slot_waiter(Entry& holder) noexcept {
    Dealings* dealings = dealings_of(holder);
    return dealings != nullptr ? Ref::own(std::exchange(dealings->slot_waiter, nullptr)) : Ref();
}

bool have_dealings(Entry& entry) noexcept { return is_turn(entry) || have_details(job_of(entry)); }

}  // namespace nbaio
