"""The family of a file's name, by which loaders choose how to read the file."""

#: A family is `safetensors`, `pickle`, `code`, the suffix of a known format, or `other`.
SAFETENSORS, PICKLE, CODE, OTHER = "safetensors", "pickle", "code", "other"
#: Characters.
MAX_FAMILY_LENGTH = 16

_PICKLE_NAMES = {
    *("pt", "pth", "th", "ptl", "ckpt", "bin", "pkl", "pickle", "p", "dill", "joblib", "sav"),
    *("pk", "pckl", "pcl", "cpkl", "cpickle", "cloudpickle"),
}
_CODE_NAMES = {
    *("py", "pyw", "pyx", "pyi", "ipynb", "sh", "bash", "zsh", "ksh", "fish", "command", "jinja"),
    *("jinja2", "j2", "js", "mjs", "cjs", "ts", "rb", "pl", "lua", "php", "r", "jl", "bat", "cmd"),
    *("ps1", "c", "cc", "cpp", "cxx", "cu", "h", "hpp", "go", "rs", "java", "ipy", "mk"),
    *("pyc", "pyo", "pyd", "so", "dll", "dylib", "exe", "jar", "whl", "egg", "pyz"),
}
#: Suffixes that may follow a pickle's. Some tell loaders how to decompress it, others mean nothing:
#: people save `model.pth.tar`. `bin` is too common to be matched before them.
_ARCHIVE_NAMES = {"gz", "bz2", "xz", "lzma", "lz4", "zst", "z", "zip", "tar"}
#: Suffix -> the format it stands for; the content decides how far it is inspected.
FORMATS_BY_SUFFIX = {
    "gguf": "GGUF",
    "onnx": "ONNX",
    "h5": "HDF5",
    "keras": "Keras",
    "hdf5": "HDF5",
    "msgpack": "MessagePack",
    "npy": "NumPy array",
    "npz": "NumPy archive",
    "tflite": "TensorFlow Lite",
    "pb": "Protocol buffers",
    "model": "SentencePiece",
}


def family_of(path: str) -> str:
    """The family of a file with this name or path."""
    # A file may be named `.bin`, and Windows drops trailing dots and spaces.
    _, *suffixes = path.rpartition("/")[2].lower().rstrip(". ").split(".")
    suffix = suffixes[-1] if suffixes else ""
    if suffix == SAFETENSORS or suffix in FORMATS_BY_SUFFIX:
        return suffix
    if suffix in _PICKLE_NAMES:
        return PICKLE
    if suffix in _CODE_NAMES:
        return CODE
    while suffixes and suffixes[-1] in _ARCHIVE_NAMES:
        suffixes.pop()
    return PICKLE if suffixes and suffixes[-1] in _PICKLE_NAMES - {"bin"} else OTHER
