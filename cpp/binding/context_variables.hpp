// What is in a Context, seen from the inside.
#pragma once

#include "binding/python.hpp"

namespace nbaio {

struct State;

/// Where a Context keeps its variables: an immutable mapping that copies of the context share. Where two contexts have the
/// same, they are equal. 0 if that cannot be told. Looked at, not assumed.
Py_ssize_t find_variables_offset(State* state) noexcept;

/// Requires: the offset was found.
inline PyObject*& variables_of(PyObject* context, Py_ssize_t offset) noexcept {
    return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(context) + offset);
}

}  // namespace nbaio
