"""Load files with real loaders in the sandbox, and print which files ran a command.

    python run_loaders.py list               # the packages with loaders that are installed
    python run_loaders.py prepare FOLDER     # write files as these packages do
    python run_loaders.py PACKAGE FOLDER     # load each file with each loader of a package

Runs in a different environment from the tests, so it imports the sandbox by path. An audit hook
detects and prevents commands. Prints JSON: for each loader, the names of files that ran one.
"""

import bz2
import contextlib
import gzip
import importlib
import importlib.util
import io
import json
import lzma
import os
import pickle
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SECONDS_PER_FILE = 1.0
#: Bytes of address space for the libraries, above the sandbox's limit.
LIBRARIES = 4 << 30
RUNS = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen"}

ran = False


def audit(event: str, _: tuple[Any, ...]) -> None:
    global ran  # an audit hook has no other place for its result
    ran = ran or event in RUNS


def by_pickle(path: str) -> None:
    with open(path, "rb") as file:
        for _ in range(8):  # some programs read several pickles from a file
            pickle.load(file)


def by_pickle_in_latin_1(path: str) -> None:
    with open(path, "rb") as file:
        pickle.load(file, encoding="latin1")


def by_pickle_in_python(path: str) -> None:
    with open(path, "rb") as file:
        pickle._Unpickler(file).load()


def unpacked_by(opens: Callable[..., Any]) -> Callable[[str], None]:
    def load(path: str) -> None:
        with opens(path) as file:
            pickle.load(file)

    return load


def by_joblib(path: str) -> None:
    joblib: Any = importlib.import_module("joblib")

    joblib.load(path)


def by_numpy(path: str) -> None:
    numpy: Any = importlib.import_module("numpy")

    with open(path, "rb") as file:
        for _ in range(4):
            found = numpy.load(file, allow_pickle=True)
            for name in getattr(found, "files", []):
                found[name]


def by_pandas(compression: str) -> Callable[[str], None]:
    def load(path: str) -> None:
        pandas: Any = importlib.import_module("pandas")

        pandas.read_pickle(path, compression=compression)

    return load


def by_pandas_hdf(path: str) -> None:
    pandas: Any = importlib.import_module("pandas")

    with pandas.HDFStore(path, "r") as store:
        for key in store:
            store[key]


def by_h5py(path: str) -> None:
    h5py: Any = importlib.import_module("h5py")

    with h5py.File(path, "r") as file:
        for item in file.values():
            item[()] if hasattr(item, "shape") else list(item)
        list(file.attrs.items())


def by_torch(path: str) -> None:
    torch: Any = importlib.import_module("torch")

    torch.load(path, weights_only=False, map_location="cpu")


LOADERS: dict[str, tuple[str, Callable[[str], None]]] = {
    "pickle": ("pickle", by_pickle),
    "pickle, latin1": ("pickle", by_pickle_in_latin_1),
    "pickle in Python": ("pickle", by_pickle_in_python),
    "gzip and pickle": ("gzip", unpacked_by(gzip.open)),
    "bz2 and pickle": ("bz2", unpacked_by(bz2.open)),
    "lzma and pickle": ("lzma", unpacked_by(lzma.open)),
    "joblib": ("joblib", by_joblib),
    "numpy": ("numpy", by_numpy),
    **{
        f"pandas, {name}": ("pandas", by_pandas(name))
        for name in ("infer", "gzip", "bz2", "zip", "xz", "zstd", "tar")
    },
    "pandas, HDF5": ("tables", by_pandas_hdf),
    "h5py": ("h5py", by_h5py),
    "torch": ("torch", by_torch),
}


def installed() -> list[str]:
    packages = dict.fromkeys(package for package, _ in LOADERS.values())
    return [package for package in packages if importlib.util.find_spec(package)]


@contextlib.contextmanager
def limited() -> Iterator[None]:
    signal.setitimer(signal.ITIMER_REAL, SECONDS_PER_FILE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def stop(*_: object) -> None:
    raise TimeoutError


def load_all(package: str, folder: Path) -> dict[str, list[str]]:
    loaders = {name: load for name, (found, load) in LOADERS.items() if found == package}
    paths = sorted(folder.iterdir())
    importlib.import_module(package)
    for load in loaders.values():  # what they import late, they import before the sandbox
        with contextlib.suppress(Exception):
            load(os.devnull)
    enter_sandbox()
    return {
        name: [path.name for path in paths if runs_a_command(load, path)]
        for name, load in loaders.items()
    }


def runs_a_command(load: Callable[[str], None], path: Path) -> bool:
    global ran
    ran = False
    with contextlib.suppress(BaseException), limited(), contextlib.redirect_stdout(io.StringIO()):
        load(str(path))
    return ran


def enter_sandbox() -> None:
    where = Path(__file__).parents[4] / "weights/inspection/sandbox.py"
    spec = importlib.util.spec_from_file_location("sandbox", where)
    assert spec is not None
    assert spec.loader is not None
    sandbox = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sandbox)
    signal.signal(signal.SIGALRM, stop)
    sys.addaudithook(audit)  # before the sandbox's, which prevents what this one notices
    sandbox.enter_sandbox(LIBRARIES)


class Command:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("true",)


def prepare(folder: Path) -> None:
    """Files as joblib, numpy, pandas and h5py write them."""
    h5py: Any = importlib.import_module("h5py")
    joblib: Any = importlib.import_module("joblib")
    numpy: Any = importlib.import_module("numpy")

    objects = numpy.array([Command(), 1], dtype=object)
    numpy.save(folder / "objects.npy", objects)
    numpy.savez(folder / "objects.npz", a=numpy.zeros(2), b=objects)
    numpy.savez_compressed(folder / "objects_packed.npz", a=numpy.zeros(2), b=objects)
    for compress in (0, *(("zlib", "gzip", "bz2", "lzma", "xz", "lz4"))):
        level = (compress, 3) if compress else 0
        joblib.dump({"a": numpy.zeros(9), "b": objects}, folder / f"by_joblib_{compress}", level)
    with h5py.File(folder / "lambda.h5", "w") as file:
        layer = {"class_name": "Lambda", "config": {"function": ["4wEAAAA=", None, None]}}
        file.attrs["model_config"] = json.dumps({"config": {"layers": [layer]}})
    with h5py.File(folder / "pickled.h5", "w") as file:
        file.attrs["pickled"] = numpy.bytes_(pickle.dumps(Command(), 0))
        file["objects"] = numpy.frombuffer(pickle.dumps(Command(), 4), dtype=numpy.uint8)


def main() -> None:
    warnings.simplefilter("ignore")
    what, *folders = sys.argv[1:]
    if what == "list":
        print(json.dumps(installed()))
    elif what == "prepare":
        prepare(Path(folders[0]))
    else:
        print(json.dumps(load_all(what, Path(folders[0]))))


if __name__ == "__main__":
    main()
