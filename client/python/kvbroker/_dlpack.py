"""DLPack capsules of tensors that the C library made. Their deleters are the library's: they need no Python, which may be
gone when the last tensor goes."""

from __future__ import annotations

import atexit
import ctypes
from ctypes import (
    CFUNCTYPE,
    POINTER,
    PYFUNCTYPE,
    c_char_p,
    c_int,
    c_int32,
    c_int64,
    c_uint8,
    c_uint16,
    c_uint64,
    c_void_p,
    py_object,
)

_NAME = b"dltensor"


class _Tensor(ctypes.Structure):
    """DLManagedTensor of DLPack up to 0.8."""

    _fields_ = [
        ("data", c_void_p),
        ("device_type", c_int32),
        ("device_id", c_int32),
        ("ndim", c_int32),
        ("code", c_uint8),
        ("bits", c_uint8),
        ("lanes", c_uint16),
        ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
        ("byte_offset", c_uint64),
        ("manager_ctx", c_void_p),
        ("deleter", CFUNCTYPE(None, c_void_p)),
    ]


_new = ctypes.pythonapi.PyCapsule_New
_new.restype, _new.argtypes = py_object, [c_void_p, c_char_p, c_void_p]
_is_valid = ctypes.pythonapi.PyCapsule_IsValid
_is_valid.restype, _is_valid.argtypes = c_int, [c_void_p, c_char_p]
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = c_void_p, [c_void_p, c_char_p]
_set_destructor = ctypes.pythonapi.PyCapsule_SetDestructor
_set_destructor.restype, _set_destructor.argtypes = c_int, [c_void_p, c_void_p]

_capsules: set[int] = set()  # addresses of those that are alive


def _delete(tensor: int) -> None:
    _Tensor.from_address(tensor).deleter(tensor)


def _end_of_capsule(capsule: int) -> None:
    _capsules.discard(capsule)
    # Who takes the tensor renames the capsule. One that nobody took still has it.
    if _is_valid(capsule, _NAME):
        _delete(_pointer(capsule, _NAME))


_destructor = PYFUNCTYPE(None, c_void_p)(_end_of_capsule)


def capsule(tensor: c_void_p) -> object:
    """Hands the tensor over to whoever takes it out of the capsule."""
    made = _new(tensor, _NAME, ctypes.cast(_destructor, c_void_p))
    _capsules.add(id(made))
    return made


@atexit.register
def _let_go() -> None:
    # What is left goes when nothing of this file can run any more.
    for address in _capsules:
        _set_destructor(address, None)


def device_of(tensor: c_void_p) -> tuple[int, int]:
    """The tensor's device, and the end of the tensor."""
    address = tensor.value or 0
    fields = _Tensor.from_address(address)
    device = (fields.device_type, fields.device_id)
    _delete(address)
    return device
