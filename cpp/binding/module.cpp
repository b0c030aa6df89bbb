// The module nb_aiopool._core: puts the state and the types together.
#include <pybind11/pybind11.h>

#include "binding/state.hpp"

// Before 3.13 sub-interpreters are refused (see _interpreter.py): 3.12.1 ends with a corrupted heap after them.
#if PY_VERSION_HEX >= 0x030D0000
PYBIND11_MODULE(_core, module, pybind11::mod_gil_not_used(), pybind11::multiple_interpreters::per_interpreter_gil()) {
#else
PYBIND11_MODULE(_core, module, pybind11::mod_gil_not_used()) {
#endif
    module.doc() = "The native core of nb_aiopool.";
    auto* state = new nbaio::State;
    pybind11::capsule owner(state, nbaio::State::capsule_name, [](PyObject* capsule) {
        static_cast<nbaio::State*>(PyCapsule_GetPointer(capsule, nbaio::State::capsule_name))->release();
    });
    if (!state->load() || !nbaio::add_types(state, module.ptr(), owner.ptr())) throw pybind11::error_already_set();
}
