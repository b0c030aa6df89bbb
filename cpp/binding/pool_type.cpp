// The type Pool: what NbAioPool inherits from the native side.
#include <new>

#include "binding/job.hpp"
#include "binding/lending.hpp"
#include "binding/pool.hpp"
#include "binding/thread_entrance.hpp"

namespace nbaio {
namespace {

constexpr std::size_t default_max_concurrency = 100;
constexpr std::size_t default_max_queue_size = 1000;

/// After so many submits without a rest the producer gives way, however fast it was. A short burst stays in the cache and
/// within what CPython keeps of freed contexts (255), and seldom wakes the garbage collector: a fifth of a submit.
constexpr std::uint32_t jobs_per_turn = 256;

PoolObject* pool_of(PyObject* self) noexcept { return reinterpret_cast<PoolObject*>(self); }

// -- Memory ---------------------------------------------------------------------------------------------------------

PyObject* pool_new(PyTypeObject* type, PyObject*, PyObject*) noexcept {
    Ref owner = Ref::own(PyObject_GetAttrString(as_object(type), "_nb_aiopool_state"));
    if (!owner) return nullptr;
    auto* state = static_cast<State*>(PyCapsule_GetPointer(owner.get(), State::capsule_name));
    if (state == nullptr) return nullptr;
    PyObject* self = type->tp_alloc(type, 0);
    if (self == nullptr) return nullptr;
    PoolObject* pool = pool_of(self);
    pool->state = state;
    state->retain();
    new (&pool->admission) Admission(default_max_concurrency, default_max_queue_size);
    new (&pool->pass_budget) Budget();
    new (&pool->producer_budget) Budget(jobs_per_turn);
    new (&pool->breaker_budget) Budget();
    new (&pool->bells) Bells();
    new (&pool->running_loop) RunningLoop();
    new (&pool->spare_lineage) SpareLineage();
    new (&pool->snapshot) ContextSnapshot();
    return self;
}

int pool_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
    PoolObject* pool = pool_of(self);
    if (instances_visit_their_type) Py_VISIT(Py_TYPE(self));
    if (pool->state == nullptr) return 0;
    Py_VISIT(pool->loop);
    if (pool->running_loop.owns_loop()) Py_VISIT(pool->loop);
    Py_VISIT(pool->loop_keyword);
    Py_VISIT(pool->loop_queue);
    Py_VISIT(pool->guard);
    Py_VISIT(pool->idle_waiters);
    Py_VISIT(pool->spare_turn);
    Py_VISIT(pool->loop_thread);
    if (const int stop = pool->spare_lineage.traverse(visit, arg)) return stop;
    if (const int stop = pool->snapshot.traverse(visit, arg)) return stop;
    // The jobs in it, which it owns; but not the turns, which their callers own.
    const auto visit_jobs = [&](Place place) noexcept {
        for (Entry* entry = pool->admission.at(place).front(); entry != nullptr; entry = entry->next) {
            if (entry->kind == job_entry) Py_VISIT(job_of(*entry)->self());
        }
        return 0;
    };
    for (const Place place : {Place::line, Place::granted, Place::queued}) {
        if (const int stop = visit_jobs(place)) return stop;
    }
    for (const Place place : Admission::begun_or_starting) {
        if (const int stop = visit_jobs(place)) return stop;
    }
    return 0;
}

/// Ends what is left: in a pool that is garbage together with its jobs nobody else will.
void pool_finalize(PyObject* self) noexcept {
    RaisedAside aside;
    const Exclusive exclusive(self);
    if (pool_of(self)->state != nullptr) abandon_all(pool_of(self));
}

int pool_clear(PyObject* self) noexcept {
    PoolObject* pool = pool_of(self);
    if (pool->state != nullptr) pool->running_loop.forget();
    pool->spare_lineage.drop();
    pool->snapshot.drop();
    Ref loop = Ref::own(std::exchange(pool->loop, nullptr));
    Ref keyword = Ref::own(std::exchange(pool->loop_keyword, nullptr));
    Ref queue = Ref::own(std::exchange(pool->loop_queue, nullptr));
    Ref guard = Ref::own(std::exchange(pool->guard, nullptr));
    Ref waiters = Ref::own(std::exchange(pool->idle_waiters, nullptr));
    Ref turn = Ref::own(std::exchange(pool->spare_turn, nullptr));
    Ref thread = Ref::own(std::exchange(pool->loop_thread, nullptr));
    return 0;
}

void pool_dealloc(PyObject* self) noexcept {
    if (PyObject_CallFinalizerFromDealloc(self) < 0) return;
    PyObject_GC_UnTrack(self);
    PyTypeObject* type = Py_TYPE(self);
    close_handle(pool_of(self));  // first: whoever comes through it would revive the pool
    pool_clear(self);
    PyMem_Free(pool_of(self)->spare_details);
    State* state = pool_of(self)->state;
    type->tp_free(self);
    Py_DECREF(type);
    if (state != nullptr) state->release();  // null: it was not even made
}

// -- Limits ---------------------------------------------------------------------------------------------------------

/// Guarantees: false with TypeError or ValueError set.
bool parse_limit(const char* name, PyObject* value, std::size_t least, std::size_t& limit) noexcept {
    if (PyBool_Check(value) || PyIndex_Check(value) == 0) {
        PyErr_Format(PyExc_TypeError, "%s must be an integer, got %R (%.200s)", name, value, Py_TYPE(value)->tp_name);
        return false;
    }
    Ref number = Ref::own(PyNumber_Index(value));
    if (!number) return false;
    int overflow = 0;
    const long long parsed = PyLong_AsLongLongAndOverflow(number.get(), &overflow);
    if (parsed == -1 && PyErr_Occurred() != nullptr) return false;
    if (overflow < 0 || (overflow == 0 && parsed < static_cast<long long>(least))) {
        PyErr_Format(PyExc_ValueError, "%s must be at least %zu, got %R", name, least, number.get());
        return false;
    }
    if (overflow > 0 || parsed > static_cast<long long>(PY_SSIZE_T_MAX)) {
        PyErr_Format(PyExc_ValueError, "%s must be at most %zd, got %R", name, PY_SSIZE_T_MAX, number.get());
        return false;
    }
    limit = static_cast<std::size_t>(parsed);
    return true;
}

/// Guarantees: what the new limits allow happens at once, and whoever lost a slot by them is looked after.
void set_limits(PoolObject* pool, std::size_t max_running, std::size_t max_queued) noexcept {
    pool->admission.set_max_running(max_running);
    pool->admission.set_max_queued(max_queued);
    look_at_holders(pool);
    settle_flow(pool);
}

int pool_init(PyObject* self, PyObject* args, PyObject* keywords) noexcept {
    const Exclusive exclusive(self);
    static const char* names[] = {"max_concurrency", "max_queue_size", nullptr};
    PyObject *concurrency = nullptr, *queue_size = nullptr;
    if (PyArg_ParseTupleAndKeywords(args, keywords, "|OO:Pool", const_cast<char**>(names), &concurrency, &queue_size) ==
        0) {
        return -1;
    }
    PoolObject* pool = pool_of(self);
    std::size_t max_running = pool->admission.max_running();
    std::size_t max_queued = pool->admission.max_queued();
    if (concurrency != nullptr && !parse_limit("max_concurrency", concurrency, 1, max_running)) return -1;
    if (queue_size != nullptr && !parse_limit("max_queue_size", queue_size, 0, max_queued)) return -1;
    set_limits(pool, max_running, max_queued);
    return 0;
}

int refuse_delete(const char* name) noexcept {
    PyErr_Format(PyExc_AttributeError, "%s cannot be deleted", name);
    return -1;
}

PyObject* get_max_concurrency(PyObject* self, void*) noexcept {
    const Exclusive exclusive(self);
    return PyLong_FromSize_t(pool_of(self)->admission.max_running());
}

int set_max_concurrency(PyObject* self, PyObject* value, void*) noexcept {
    const Exclusive exclusive(self);
    if (value == nullptr) return refuse_delete("max_concurrency");
    std::size_t limit = 0;
    if (!parse_limit("max_concurrency", value, 1, limit)) return -1;
    set_limits(pool_of(self), limit, pool_of(self)->admission.max_queued());
    return 0;
}

PyObject* get_max_queue_size(PyObject* self, void*) noexcept {
    const Exclusive exclusive(self);
    return PyLong_FromSize_t(pool_of(self)->admission.max_queued());
}

int set_max_queue_size(PyObject* self, PyObject* value, void*) noexcept {
    const Exclusive exclusive(self);
    if (value == nullptr) return refuse_delete("max_queue_size");
    std::size_t limit = 0;
    if (!parse_limit("max_queue_size", value, 0, limit)) return -1;
    set_limits(pool_of(self), pool_of(self)->admission.max_running(), limit);
    return 0;
}

// -- What it tells -----------------------------------------------------------------------------------------------------

PyObject* get_running(PyObject* self, void*) noexcept {
    const Exclusive exclusive(self);
    return PyLong_FromSize_t(pool_of(self)->admission.running());
}
PyObject* get_queued(PyObject* self, void*) noexcept {
    const Exclusive exclusive(self);
    return PyLong_FromSize_t(pool_of(self)->admission.queued());
}
PyObject* get_waiting(PyObject* self, void*) noexcept {
    const Exclusive exclusive(self);
    return PyLong_FromSize_t(pool_of(self)->admission.waiting());
}
PyObject* get_closed(PyObject* self, void*) noexcept {
    const Exclusive exclusive(self);
    return PyBool_FromLong(pool_of(self)->closed);
}

PyObject* get_loop(PyObject* self, void*) noexcept {
    const Exclusive exclusive(self);
    PyObject* loop = pool_of(self)->loop;
    return new_ref(loop != nullptr ? loop : Py_None);
}

PyObject* get_loop_thread(PyObject* self, void*) noexcept {
    const Exclusive exclusive(self);
    PyObject* thread = pool_of(self)->loop_thread;
    return new_ref(thread != nullptr ? thread : Py_None);
}

PyObject* get_is_loop_thread(PyObject* self, void*) noexcept {
    const Exclusive exclusive(self);
    return PyBool_FromLong(pool_of(self)->loop_thread != nullptr && pool_of(self)->loop_thread_id == thread_id());
}

PyObject* get_guard(PyObject* self, void*) noexcept {
    const Exclusive exclusive(self);
    PyObject* guard = pool_of(self)->guard;
    return new_ref(guard != nullptr ? guard : Py_None);
}

PyObject* pool_counts(PyObject* self, PyObject*) noexcept {
    const Exclusive exclusive(self);
    const Admission& admission = pool_of(self)->admission;
    const auto ended = [&](Outcome outcome) noexcept {
        return static_cast<unsigned long long>(admission.ended(outcome));
    };
    return Py_BuildValue("(KKKKnn)", static_cast<unsigned long long>(admission.submitted()), ended(Outcome::succeeded),
                         ended(Outcome::failed), ended(Outcome::cancelled), static_cast<Py_ssize_t>(admission.queued()),
                         static_cast<Py_ssize_t>(admission.running()));
}

// -- Doc comments; _core.pyi repeats them, and tests run their examples ------------------------------------------------

constexpr const char* submit_nowait_doc = R"(submit_nowait($self, coro)
--

Submit without waiting: return the job's future, or raise PoolFull.

An ordinary function, for callbacks and for code that would rather refuse than wait.

Examples:
    >>> async def main():
    ...     pool = NbAioPool(max_concurrency=1, max_queue_size=1)
    ...     jobs = [pool.submit_nowait(asyncio.sleep(0, n)) for n in range(2)]
    ...     try:
    ...         pool.submit_nowait(asyncio.sleep(0))
    ...     except PoolFull:
    ...         print("full")
    ...     print(await asyncio.gather(*jobs))
    >>> asyncio.run(main())
    full
    [0, 1])";

constexpr const char* max_concurrency_doc =
    R"(How many jobs may run at a time. May be set: raising it starts jobs at once, lowering it interrupts none.

Examples:
    >>> pool = NbAioPool(max_concurrency=10)
    >>> pool.max_concurrency = 20
    >>> pool.max_concurrency
    20)";

constexpr const char* max_queue_size_doc =
    R"(How many accepted jobs may wait for a slot; 0: no bound. May be set at any time.

Examples:
    >>> pool = NbAioPool(max_queue_size=0)
    >>> pool.max_queue_size = 100
    >>> pool.max_queue_size
    100)";

constexpr const char* running_doc =
    R"(How many jobs have a slot, or have lent it: those that wait for nested work count too.

Examples:
    >>> async def main():
    ...     async with NbAioPool(max_concurrency=2) as pool:
    ...         await pool.batch_submit(asyncio.sleep(0.01) for _ in range(3))
    ...         print(pool.running)
    >>> asyncio.run(main())
    2)";

constexpr const char* queued_doc = R"(How many accepted jobs wait for a slot.

Examples:
    >>> async def main():
    ...     async with NbAioPool(max_concurrency=2) as pool:
    ...         await pool.batch_submit(asyncio.sleep(0.01) for _ in range(3))
    ...         print(pool.queued)
    >>> asyncio.run(main())
    1)";

constexpr const char* waiting_doc = R"(How many callers wait for room.

Examples:
    >>> async def main():
    ...     async with NbAioPool(1, 1) as pool:
    ...         await pool.batch_submit(asyncio.sleep(0.01) for _ in range(2))
    ...         producer = asyncio.ensure_future(pool.submit(asyncio.sleep(0)))
    ...         await asyncio.sleep(0)
    ...         print(pool.waiting)
    ...         await producer
    >>> asyncio.run(main())
    1)";

constexpr const char* closed_doc = R"(Whether the pool was shut down. A stopped pool stays stopped.

Examples:
    >>> async def main():
    ...     async with NbAioPool() as pool:
    ...         print(pool.closed)
    ...     print(pool.closed)
    >>> asyncio.run(main())
    False
    True)";

PyMethodDef pool_methods[] = {
    {"submit_nowait", as_function(pool_submit_nowait), METH_FASTCALL | METH_KEYWORDS, submit_nowait_doc},
    {"_native_offer", as_function(pool_offer), METH_FASTCALL, "_native_offer($self, coro, block, future, /)\n--\n\n"},
    {"_native_offer_from_thread", as_function(pool_offer_from_thread), METH_FASTCALL,
     "_native_offer_from_thread($self, coro, block, future, loop, /)\n--\n\n"},
    {"_native_offer_all", as_function(pool_offer_all), METH_FASTCALL,
     "_native_offer_all($self, coros, more, /)\n--\n\n"},
    {"_native_check", pool_check, METH_O, "_native_check($self, awaitable, /)\n--\n\n"},
    {"_native_discard", pool_discard, METH_O, "_native_discard($self, closable, /)\n--\n\n"},
    {"_native_room", pool_room, METH_NOARGS, "_native_room($self, /)\n--\n\n"},
    {"_native_lineage", pool_lineage, METH_NOARGS, "_native_lineage($self, /)\n--\n\n"},
    {"_native_lineage_in", pool_lineage_in, METH_O, "_native_lineage_in($self, context, /)\n--\n\n"},
    {"_native_want", as_function(pool_want), METH_FASTCALL, "_native_want($self, future, lineage, /)\n--\n\n"},
    {"_native_run", as_function(pool_run), METH_FASTCALL, "_native_run($self, coro, block, future, /)\n--\n\n"},
    {"_native_bind", pool_bind, METH_NOARGS, "_native_bind($self, /)\n--\n\n"},
    {"_native_when_idle", pool_when_idle, METH_NOARGS, "_native_when_idle($self, /)\n--\n\n"},
    {"_native_forget_waiter", pool_forget_waiter, METH_O, "_native_forget_waiter($self, waiter, /)\n--\n\n"},
    {"_native_close", pool_close, METH_NOARGS, "_native_close($self, /)\n--\n\n"},
    {"_native_is_busy", pool_is_busy, METH_O, "_native_is_busy($self, guard, /)\n--\n\n"},
    {"_native_drop_queued", pool_drop_queued, METH_NOARGS, "_native_drop_queued($self, /)\n--\n\n"},
    {"_native_cancel_guarded", pool_cancel_guarded, METH_O, "_native_cancel_guarded($self, guard, /)\n--\n\n"},
    {"_native_cancel_all", pool_cancel_all, METH_NOARGS, "_native_cancel_all($self, /)\n--\n\n"},
    {"_native_is_blocked", pool_is_blocked, METH_NOARGS, "_native_is_blocked($self, /)\n--\n\n"},
    {"_native_is_inside", pool_is_inside, METH_NOARGS, "_native_is_inside($self, /)\n--\n\n"},
    {"_native_abandon", pool_abandon, METH_NOARGS, "_native_abandon($self, /)\n--\n\n"},
    {"_native_ending", pool_ending, METH_NOARGS, "_native_ending($self, /)\n--\n\n"},
    {"_native_renew_guard", pool_renew_guard, METH_NOARGS, "_native_renew_guard($self, /)\n--\n\n"},
    {"_native_counts", pool_counts, METH_NOARGS, "_native_counts($self, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef pool_members[] = {
    {"max_concurrency", get_max_concurrency, set_max_concurrency, max_concurrency_doc, nullptr},
    {"max_queue_size", get_max_queue_size, set_max_queue_size, max_queue_size_doc, nullptr},
    {"running", get_running, nullptr, running_doc, nullptr},
    {"queued", get_queued, nullptr, queued_doc, nullptr},
    {"waiting", get_waiting, nullptr, waiting_doc, nullptr},
    {"closed", get_closed, nullptr, closed_doc, nullptr},
    {"_native_loop", get_loop, nullptr, "The event loop of the last use, if any.", nullptr},
    {"_native_loop_thread", get_loop_thread, nullptr,
     "A weak reference to what dies with the thread that the loop ran in last.", nullptr},
    {"_native_is_loop_thread", get_is_loop_thread, nullptr, "Whether the caller is that thread.", nullptr},
    {"_native_guard", get_guard, nullptr, "What stands for the pool in asyncio.all_tasks, if it was used.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot pool_slots[] = {{Py_tp_doc, const_cast<char*>("The native side of NbAioPool.")},
                            {Py_tp_new, as_slot(pool_new)},
                            {Py_tp_init, as_slot(pool_init)},
                            {Py_tp_dealloc, as_slot(pool_dealloc)},
                            {Py_tp_traverse, as_slot(pool_traverse)},
                            {Py_tp_clear, as_slot(pool_clear)},
                            {Py_tp_finalize, as_slot(pool_finalize)},
                            {Py_tp_methods, pool_methods},
                            {Py_tp_getset, pool_members},
                            {0, nullptr}};

}  // namespace

PyTypeObject* make_pool_type(State*) noexcept {
    PyType_Spec spec = {"nb_aiopool._core.Pool", static_cast<int>(sizeof(PoolObject)), 0,
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | immutable_type, pool_slots};
    return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

}  // namespace nbaio
