// The one way to Python: the only include of Python.h (but for pybind11's, in module.cpp), and where the versions of
// CPython differ.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>

#if PY_VERSION_HEX < 0x03080000
#error "nb_aiopool needs CPython 3.8 or newer"
#endif

/// Whether asyncio has a dictionary of loops and their current tasks.
#if PY_VERSION_HEX < 0x030E0000 && !defined(Py_GIL_DISABLED)
#define NBAIO_HAS_TASK_DICT 1
#else
#define NBAIO_HAS_TASK_DICT 0
#endif

namespace nbaio {

/// An owned reference, or null. Null usually means that a Python exception is set.
///
/// Replacing or dropping the object may run any Python code, so the field is always changed first and the old object
/// released last.
class Ref {
public:
    Ref() noexcept = default;
    Ref(Ref&& other) noexcept : object_(other.release()) {}
    Ref(const Ref&) = delete;
    Ref& operator=(const Ref&) = delete;
    Ref& operator=(Ref&& other) noexcept {
        PyObject* old = std::exchange(object_, other.release());
        Py_XDECREF(old);
        return *this;
    }
    ~Ref() { Py_XDECREF(object_); }

    /// Takes over a new reference, as most calls of the C API return it.
    static Ref own(PyObject* object) noexcept { return Ref(object); }
    /// Adds a reference to an object that somebody else owns.
    static Ref share(PyObject* object) noexcept {
        Py_XINCREF(object);
        return Ref(object);
    }

    [[nodiscard]] PyObject* get() const noexcept { return object_; }
    [[nodiscard]] PyObject* release() noexcept { return std::exchange(object_, nullptr); }
    void reset() noexcept { *this = Ref(); }
    explicit operator bool() const noexcept { return object_ != nullptr; }

    /// For the C API's out parameters. Requires: empty.
    [[nodiscard]] PyObject** out() noexcept { return &object_; }

private:
    explicit Ref(PyObject* object) noexcept : object_(object) {}
    PyObject* object_ = nullptr;
};

// -- Calls --------------------------------------------------------------------------------------------------------

#if PY_VERSION_HEX >= 0x03090000
inline PyObject* vectorcall(PyObject* callable, PyObject* const* args, std::size_t count, PyObject* names) noexcept {
    return PyObject_Vectorcall(callable, args, count | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
}
inline PyObject* vectorcall_method(PyObject* name, PyObject* const* args, std::size_t count, PyObject* names) noexcept {
    return PyObject_VectorcallMethod(name, args, count | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
}
#else
inline PyObject* vectorcall(PyObject* callable, PyObject* const* args, std::size_t count, PyObject* names) noexcept {
    return _PyObject_Vectorcall(callable, args, count | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
}
inline PyObject* vectorcall_method(PyObject* name, PyObject* const* args, std::size_t count, PyObject* names) noexcept {
    Ref method = Ref::own(PyObject_GetAttr(args[0], name));
    if (!method) return nullptr;
    return _PyObject_Vectorcall(method.get(), args + 1, (count - 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
}
#endif

/// Calls with positional arguments.
template <class... Args>
Ref call(PyObject* callable, Args*... args) noexcept {
    PyObject* stack[] = {nullptr, args...};  // the first is scratch room for the callee
    return Ref::own(vectorcall(callable, stack + 1, sizeof...(Args), nullptr));
}

/// Calls with positional arguments and a last one that is passed by keyword. Requires: names is a 1-tuple.
template <class... Args>
Ref call_with_keyword(PyObject* callable, PyObject* names, Args*... args) noexcept {
    PyObject* stack[] = {nullptr, args...};
    return Ref::own(vectorcall(callable, stack + 1, sizeof...(Args) - 1, names));
}

template <class... Args>
Ref call_method(PyObject* self, PyObject* name, Args*... args) noexcept {
    PyObject* stack[] = {nullptr, self, args...};
    return Ref::own(vectorcall_method(name, stack + 1, sizeof...(Args) + 1, nullptr));
}

template <class... Args>
Ref call_method_with_keyword(PyObject* self, PyObject* name, PyObject* names, Args*... args) noexcept {
    PyObject* stack[] = {nullptr, self, args...};
    return Ref::own(vectorcall_method(name, stack + 1, sizeof...(Args), names));
}

inline PyObject* new_ref(PyObject* object) noexcept {
    Py_XINCREF(object);
    return object;
}

template <class Object>
PyObject* as_object(Object* object) noexcept {
    return reinterpret_cast<PyObject*>(object);
}

/// A new reference to an object of a native type.
template <class Object>
Object* share(Object* object) noexcept {
    Py_INCREF(as_object(object));
    return object;
}

inline PyObject* new_none() noexcept { return new_ref(Py_None); }

// -- Exceptions ---------------------------------------------------------------------------------------------------

/// Takes the exception that is set: one object, its traceback attached. Null if none is set.
inline Ref take_raised() noexcept {
#if PY_VERSION_HEX >= 0x030C0000
    return Ref::own(PyErr_GetRaisedException());
#else
    PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
    PyErr_Fetch(&type, &value, &traceback);
    if (type == nullptr) return Ref();
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != nullptr) PyException_SetTraceback(value, traceback);
    Py_XDECREF(traceback);
    Py_DECREF(type);
    return Ref::own(value);
#endif
}

/// Sets an exception object as raised.
inline void raise(Ref exception) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(exception.release());
#else
    PyObject* value = exception.release();
    PyErr_Restore(new_ref(reinterpret_cast<PyObject*>(Py_TYPE(value))), value, PyException_GetTraceback(value));
#endif
}

/// Keeps the exception that is set out of the way of the calls in a block.
class RaisedAside {
public:
    RaisedAside() noexcept : exception_(take_raised()) {}
    RaisedAside(const RaisedAside&) = delete;
    RaisedAside& operator=(const RaisedAside&) = delete;
    ~RaisedAside() {
        if (exception_) raise(std::move(exception_));
    }

private:
    Ref exception_;
};

// -- Stepping a coroutine -----------------------------------------------------------------------------------------

enum class Step { returned, yielded, raised };

/// A flag for types whose attributes cannot be set, nor deleted.
#if PY_VERSION_HEX >= 0x030A0000
constexpr unsigned int immutable_type = Py_TPFLAGS_IMMUTABLETYPE;
#else
constexpr unsigned int immutable_type = 0;
#endif

/// If StopIteration is set, takes it and stores its value.
inline bool take_stop_iteration(Ref& value) noexcept {
    if (PyErr_Occurred() == nullptr) {
        value = Ref::share(Py_None);
        return true;
    }
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) return false;
    Ref stop = take_raised();
    value = Ref::own(PyObject_GetAttrString(stop.get(), "value"));
    return static_cast<bool>(value);
}

inline Step step_of(PyObject* yielded, Ref& value) noexcept {
    if (yielded != nullptr) {
        value = Ref::own(yielded);
        return Step::yielded;
    }
    return take_stop_iteration(value) ? Step::returned : Step::raised;
}

/// Sends a value into a coroutine. Guarantees: value holds what it returned or yielded; if it raised, that is set.
inline Step send_into(PyObject* coro, PyObject* sent, PyObject* send_name, Ref& value) noexcept {
#if PY_VERSION_HEX >= 0x030A0000
    static_cast<void>(send_name);
    switch (PyIter_Send(coro, sent, value.out())) {
        case PYGEN_RETURN: return Step::returned;
        case PYGEN_NEXT: return Step::yielded;
        default: return Step::raised;
    }
#else
    if (PyGen_CheckExact(coro) || PyCoro_CheckExact(coro)) {
        return step_of(_PyGen_Send(reinterpret_cast<PyGenObject*>(coro), sent), value);
    }
    return step_of(call_method(coro, send_name, sent).release(), value);
#endif
}

/// Returns a value from an iterator's __next__, send or throw: StopIteration, unless the slot allows less.
inline void set_stop_iteration(PyObject* value) noexcept {
    // PyErr_SetObject would unpack a tuple into arguments, and take an exception instance for the exception itself.
    if (PyTuple_Check(value) || PyExceptionInstance_Check(value)) {
        Ref stop = call(PyExc_StopIteration, value);
        if (stop) PyErr_SetObject(PyExc_StopIteration, stop.get());
    } else {
        PyErr_SetObject(PyExc_StopIteration, value);
    }
}

/// The answer of an iterator's __next__, send or throw.
inline PyObject* answer(Step step, Ref value) noexcept {
    if (step == Step::yielded) return value.release();
    if (step == Step::returned) set_stop_iteration(value.get());
    return nullptr;
}

#if PY_VERSION_HEX >= 0x030A0000
/// The same for its am_send.
inline PySendResult answer_send(Step step, Ref value, PyObject** result) noexcept {
    *result = step == Step::raised ? nullptr : value.release();
    return step == Step::yielded ? PYGEN_NEXT : step == Step::returned ? PYGEN_RETURN : PYGEN_ERROR;
}
#endif

/// Guarantees: false with TypeError set if throw() does not take so many arguments.
inline bool is_thrown_with(Py_ssize_t count) noexcept {
    if (count >= 1 && count <= 3) return true;
    PyErr_Format(PyExc_TypeError, "throw() takes from 1 to 3 arguments (%zd given)", count);
    return false;
}

/// Throws into a coroutine what throw() was called with. Requires: is_thrown_with(count). Guarantees: as send_into.
inline Step throw_into(PyObject* coro, PyObject* const* args, Py_ssize_t count, PyObject* throw_name,
                       Ref& value) noexcept {
    PyObject* stack[5] = {nullptr, coro, nullptr, nullptr, nullptr};
    for (Py_ssize_t i = 0; i < count; ++i) stack[i + 2] = args[i];
    return step_of(vectorcall_method(throw_name, stack + 1, static_cast<std::size_t>(count) + 1, nullptr), value);
}

// -- Arguments ----------------------------------------------------------------------------------------------------

/// Parses the one argument of a METH_FASTCALL | METH_KEYWORDS method, given by place or by name. Guarantees: true with
/// `value` set, or left alone if the argument was not given; false with TypeError set.
inline bool parse_one(const char* function, const char* name, PyObject* const* args, Py_ssize_t count, PyObject* names,
                      PyObject*& value) noexcept {
    const Py_ssize_t keywords = names != nullptr ? PyTuple_GET_SIZE(names) : 0;
    if (count + keywords > 1) {
        PyErr_Format(PyExc_TypeError, "%s() takes one argument, %s (%zd given)", function, name, count + keywords);
        return false;
    }
    if (keywords == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), name) != 0) {
        PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument %R", function,
                     PyTuple_GET_ITEM(names, 0));
        return false;
    }
    if (count + keywords == 1) value = args[0];
    return true;
}

// -- Threads ------------------------------------------------------------------------------------------------------

/// What tells this thread from all others that ever were.
inline std::uint64_t thread_id() noexcept {
#if PY_VERSION_HEX >= 0x03090000
    return PyThreadState_GetID(PyThreadState_Get());
#else
    return PyThreadState_Get()->id;
#endif
}

/// An object that lives for as long as this thread does, of which it is the one owner. Null with an exception set if there
/// is no memory.
inline Ref mark_of_thread(PyObject* name) noexcept {
    PyObject* facts = PyThreadState_GetDict();
    if (facts == nullptr) return Ref::own(PyErr_NoMemory());
    Ref mark = Ref::share(PyDict_GetItemWithError(facts, name));
    if (mark || PyErr_Occurred() != nullptr) return mark;
    mark = Ref::own(PySet_New(nullptr));  // the smallest thing that can be referred to weakly
    if (mark && PyDict_SetItem(facts, name, mark.get()) < 0) mark.reset();
    return mark;
}

/// Where there is no GIL: does for one object what the GIL does for all, for the length of a block. Other threads wait,
/// until this one has to wait itself. Null: nothing.
class Exclusive {
public:
#ifdef Py_GIL_DISABLED
    explicit Exclusive(PyObject* object) noexcept : object_(Ref::share(object)) {
        if (object_) PyCriticalSection_Begin(&section_, object_.get());
    }
    ~Exclusive() {
        if (object_) PyCriticalSection_End(&section_);
    }
#else
    explicit Exclusive(PyObject*) noexcept {}
    ~Exclusive() = default;
#endif
    Exclusive(const Exclusive&) = delete;
    Exclusive& operator=(const Exclusive&) = delete;

#ifdef Py_GIL_DISABLED
private:
    Ref object_;  // its lock is part of it
    PyCriticalSection section_;
#endif
};

// -- Types --------------------------------------------------------------------------------------------------------

/// Whether instances of a heap type visit and release their type themselves when the base type is static.
#if PY_VERSION_HEX >= 0x03090000
inline constexpr bool instances_visit_their_type = true;
#else
inline constexpr bool instances_visit_their_type = false;
#endif

template <class Function>
PyCFunction as_function(Function* function) noexcept {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

template <class Function>
void* as_slot(Function* function) noexcept {
    return reinterpret_cast<void*>(function);
}

}  // namespace nbaio
