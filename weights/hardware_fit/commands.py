"""Commands that run a checkpoint on the accelerators of an assessment."""

from dataclasses import dataclass
from shlex import quote as shell

from weights.hardware_fit import dtypes
from weights.hardware_fit.assessment import Assessment
from weights.hardware_fit.dtypes import Dtype
from weights.hardware_fit.estimate import USABLE_FRACTION, Placement, Split


@dataclass(frozen=True)
class Source:
    """Where the weights come from.

    `is_loadable` is True if the published files have the layout that transformers and vLLM load;
    otherwise the commands use a local folder with converted files.
    """

    portal: str
    repo_id: str
    gated: bool
    is_loadable: bool

    @property
    def name(self) -> str:
        return self.repo_id if self.is_loadable else f"./{self.repo_id.partition('/')[2]}"

    @property
    def exports(self) -> list[str]:
        """Shell lines that set the portal's address, and a token for gated checkpoints."""
        if not self.is_loadable:
            return []
        token = ["export HF_TOKEN=hf_wb…"] if self.gated else []
        return [f"export HF_ENDPOINT={self.portal}", *token]


@dataclass(frozen=True)
class Command:
    """One command with the name of its program."""

    key: str
    label: str
    text: str


def commands(assessment: Assessment, source: Source) -> list[Command]:
    """Commands for programs that can run the model this way; empty if it does not fit."""
    placement = assessment.placement
    if placement is None or not placement.fits:
        return []
    found = []
    # vLLM loads weights in 16 bits before it quantises them to 8, which needs more memory.
    if assessment.workload.dtype != Dtype.INT8:
        found.append(_vllm(assessment, placement, source))
    if assessment.fits_by_layers:
        found.append(_transformers(assessment, source))
    return found


def _vllm(assessment: Assessment, placement: Placement, source: Source) -> Command:
    workload = assessment.workload
    is_tensors = placement.split == Split.TENSORS
    options = [
        f"--tensor-parallel-size {placement.used if is_tensors else 1}",
        *([] if is_tensors else [f"--pipeline-parallel-size {placement.used}"]),
        f"--max-model-len {workload.context}",
        f"--max-num-seqs {workload.batch}",
        f"--gpu-memory-utilization {float(USABLE_FRACTION)}",
    ]
    if workload.dtype == Dtype.INT4:
        options.insert(0, "--quantization bitsandbytes")
    elif dtype := _loaded_dtype(assessment):
        options.insert(0, f"--dtype {dtype}")
    packages = "vllm bitsandbytes" if workload.dtype == Dtype.INT4 else "vllm"
    serve = " \\\n  ".join([f"vllm serve {shell(source.name)}", *options])
    return Command("vllm", "vLLM", "\n".join([f"pip install {packages}", *source.exports, serve]))


def _transformers(assessment: Assessment, source: Source) -> Command:
    """Python that spreads whole layers over all accelerators with accelerate."""
    machines, dtype = assessment.machines, assessment.workload.dtype
    gigabytes = float(machines.accelerator.memory * USABLE_FRACTION) / 10**9
    memory = f'{{device: "{gigabytes:g}GB" for device in range({machines.count})}}'
    classes = "AutoModelForCausalLM, AutoTokenizer"
    options = [f'dtype="{_loaded_dtype(assessment) or "auto"}"']
    if dtype.is_quantised:
        classes += ", BitsAndBytesConfig"
        bits = "load_in_4bit" if dtype == Dtype.INT4 else "load_in_8bit"
        options = [f"quantization_config=BitsAndBytesConfig({bits}=True)"]
    options += ['device_map="auto"', f"max_memory={memory}"]
    packages = "accelerate bitsandbytes" if dtype.is_quantised else "accelerate"
    lines = [
        f"# pip install 'transformers>=4.56' {packages}",
        *_environment(source),
        f"from transformers import {classes}",
        "",
        f'name = "{source.name}"',
        "tokenizer = AutoTokenizer.from_pretrained(name)",
        "model = AutoModelForCausalLM.from_pretrained(",
        *["    name,", *(f"    {option}," for option in options)],
        ")",
    ]
    return Command("transformers", "transformers and accelerate", "\n".join(lines))


def _environment(source: Source) -> list[str]:
    """Python lines before the import of transformers, which reads these variables."""
    if not source.is_loadable:
        return []
    token = ['os.environ["HF_TOKEN"] = "hf_wb…"'] if source.gated else []
    return ["import os", f'os.environ["HF_ENDPOINT"] = "{source.portal}"', *token]


def _loaded_dtype(assessment: Assessment) -> Dtype | None:
    """The floating-point dtype for a command; None for files that are already quantised."""
    dtype = assessment.workload.dtype
    return dtypes.main_dtype(assessment.shape.headers) if dtype == Dtype.PUBLISHED else dtype
