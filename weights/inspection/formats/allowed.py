"""The imports that pickles may have: functions that rebuild tensors, and plain containers."""

from collections.abc import Iterable

Allowed = frozenset[tuple[str, str]]

_STORAGES = (
    *("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool"),
    *("ComplexDouble", "ComplexFloat", "QUInt8", "QInt8", "QInt32", "QUInt4x2", "QUInt2x4"),
)
_DTYPES = (
    *("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8"),
    *("uint16", "uint32", "uint64", "bool", "complex64", "complex128", "float8_e4m3fn"),
    *("float8_e5m2", "double", "float", "half", "long", "int", "short"),
)
_REBUILD = (
    *("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter"),
    *("_rebuild_parameter_with_state", "_rebuild_qtensor", "_rebuild_sparse_tensor"),
    *("_rebuild_sparse_csr_tensor", "_rebuild_meta_tensor_no_storage"),
)
#: (module, name) pairs. Calling these has no side effects.
STANDARD = frozenset(
    {
        *(("torch", f"{name}Storage") for name in _STORAGES),
        *(("torch.storage", name) for name in ("TypedStorage", "UntypedStorage")),
        *(("torch", name) for name in _DTYPES),
        *(("torch._utils", name) for name in _REBUILD),
        *(("torch", name) for name in ("Size", "device", "Tensor")),
        *(("torch.nn.parameter", "Parameter"), ("torch.serialization", "_get_layout")),
        *(("collections", "OrderedDict"), ("collections", "Counter")),
        *(("argparse", "Namespace"),),
        *((module, "set") for module in ("builtins", "__builtin__")),
        *((module, "frozenset") for module in ("builtins", "__builtin__")),
        *((module, "complex") for module in ("builtins", "__builtin__")),
        # metaseq saves these with the tensors: options, meters, scalers.
        *(("metaseq.dataclass.configs", name) for name in ("MetaseqConfig", "CommonConfig")),
        *(("metaseq.logging.meters", name) for name in ("AverageMeter", "TimeMeter")),
    }
)


def allowed(extra: Iterable[str] = ()) -> Allowed:
    """The standard imports and `extra` ones, written `module.name`."""
    pairs = (name.rpartition(".") for name in extra)
    return STANDARD | {(module, name) for module, _, name in pairs if module}
