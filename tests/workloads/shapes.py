"""Graphs with the shapes of a dozen real scientific workflows, as their authors and WfCommons describe them.

Owns numbers and names only; knows nothing of graflow_fast. A shape is a dictionary of task -> its predecessors, in an
order in which each task stands behind those it depends on. `size` is how often the repeated part stands there.
"""

from __future__ import annotations

from collections.abc import Callable

Shape = dict[str, tuple[str, ...]]


def many(kind: str, count: int) -> list[str]:
    """The names of some tasks of a kind."""
    return [f"{kind}_{number}" for number in range(count)]


def montage(size: int) -> Shape:
    """A mosaic of sky images: project each, fit the overlaps of neighbours, model the background once, correct each."""
    images = many("project", size)
    overlaps = [(a, b) for step in (1, 2) for a, b in zip(images, images[step:], strict=False)]
    shape: Shape = dict.fromkeys(images, ())
    fits = many("diff_fit", len(overlaps))
    shape.update(zip(fits, overlaps, strict=True))
    shape["concat_fit"] = tuple(fits)
    shape["background_model"] = ("concat_fit",)
    corrected = many("background", size)
    shape.update({name: ("background_model", image) for name, image in zip(corrected, images, strict=True)})
    shape["image_table"] = tuple(corrected)
    shape["add"] = ("image_table", *corrected)
    shape["view"] = ("add",)
    return shape


def epigenomics(size: int) -> Shape:
    """Sequence data: split, a pipeline of four for each piece, merge, index, count."""
    shape: Shape = {"fastq_split": ()}
    ends = []
    for number in range(size):
        before = "fastq_split"
        for kind in ("filter", "sol_to_sanger", "fastq_to_bfq", "map"):
            shape[f"{kind}_{number}"] = (before,)
            before = f"{kind}_{number}"
        ends.append(before)
    shape["map_merge"] = tuple(ends)
    shape["chr21"] = ("map_merge",)
    shape["pileup"] = ("chr21",)
    return shape


def cycles(size: int) -> Shape:
    """Crop models: a baseline and its fertilizer variants for each crop, output parsed for each, summaries of all."""
    shape: Shape = {}
    parsed, increases = [], []
    for number in range(size):
        shape[f"baseline_{number}"] = ()
        shape[f"cycles_{number}"] = (f"baseline_{number}",)
        shape[f"fertilizer_{number}"] = (f"baseline_{number}", f"cycles_{number}")
        shape[f"output_{number}"] = (f"cycles_{number}",)
        shape[f"fertilizer_output_{number}"] = (f"cycles_{number}", f"fertilizer_{number}")
        parsed.append(f"output_{number}")
        increases.append(f"fertilizer_output_{number}")
    shape["output_summary"] = tuple(parsed)
    shape["fertilizer_summary"] = tuple(increases)
    shape["plots"] = ("output_summary", "fertilizer_summary")
    return shape


def seismology(size: int) -> Shape:
    """Seismograms: as many deconvolutions, and one that sifts them."""
    shape: Shape = dict.fromkeys(many("deconvolve", size), ())
    shape["sift"] = tuple(shape)
    return shape


def soykb(size: int) -> Shape:
    """Soybean genomes: a pipeline of seven for each sample, then variants for each chromosome, combined twice."""
    shape: Shape = {}
    called = []
    for number in range(size):
        before: tuple[str, ...] = ()
        for kind in ("align", "sort", "dedup", "add_replace", "realign_target", "indel_realign", "haplotype"):
            shape[f"{kind}_{number}"] = before
            before = (f"{kind}_{number}",)
        called += before
    shape["merge_gcvf"] = tuple(called)
    genotypes = many("genotype", max(2, size // 2))
    shape.update(dict.fromkeys(genotypes, ("merge_gcvf",)))
    shape["combine_variants"] = tuple(genotypes)
    for kind in ("select_snp", "select_indel"):
        shape[kind] = ("combine_variants",)
        shape[f"filter_{kind}"] = (kind,)
    return shape


def genome(size: int) -> Shape:
    """1000Genome: individuals merged and sifted for each chromosome, then overlaps and frequencies by population."""
    shape: Shape = {}
    populations = many("population", 3)
    shape.update(dict.fromkeys(populations, ()))
    for chromosome in range(max(1, size // 5)):
        individuals = many(f"individuals_{chromosome}", 5)
        shape.update(dict.fromkeys(individuals, ()))
        shape[f"merge_{chromosome}"] = tuple(individuals)
        shape[f"sifting_{chromosome}"] = ()
        for number, population in enumerate(populations):
            inputs = (f"merge_{chromosome}", f"sifting_{chromosome}", population)
            shape[f"mutation_overlap_{chromosome}_{number}"] = inputs
            shape[f"frequency_{chromosome}_{number}"] = inputs
    return shape


def blast(size: int) -> Shape:
    """A search: split, search each piece, and two ways of putting the answers together."""
    pieces = many("blastall", size)
    shape: Shape = {"split_fasta": (), **dict.fromkeys(pieces, ("split_fasta",))}
    shape["cat_blast"] = shape["cat"] = tuple(pieces)
    return shape


def bwa(size: int) -> Shape:
    """An alignment: an index and pieces, aligned one by one, put together twice."""
    pieces = many("align", size)
    shape: Shape = {"index": (), "reduce": (), **dict.fromkeys(pieces, ("index", "reduce"))}
    shape["cat_bwa"] = tuple(pieces)
    shape["cat"] = ("cat_bwa", *pieces)
    return shape


def sra(size: int) -> Shape:
    """An archive of reads: fetch and align each run against one index, then merge all."""
    shape: Shape = {"index": ()}
    for number in range(size):
        shape[f"fetch_{number}"] = ()
        shape[f"dump_{number}"] = (f"fetch_{number}",)
        shape[f"align_{number}"] = ("index", f"dump_{number}")
    shape["merge"] = tuple(many("align", size))
    return shape


def cybershake(size: int) -> Shape:
    """Earthquakes: two extractions for a site, a synthesis for each rupture, peaks for each, two archives."""
    shape: Shape = {"extract_0": (), "extract_1": ()}
    for number in range(size):
        shape[f"synthesis_{number}"] = (f"extract_{number % 2}",)
        shape[f"peaks_{number}"] = (f"synthesis_{number}",)
    shape["zip_seismograms"] = tuple(many("synthesis", size))
    shape["zip_peaks"] = tuple(many("peaks", size))
    return shape


def inspiral(size: int) -> Shape:
    """Gravitational waves: banks and inspirals in groups, thinned out by coincidence, triggers, and the same again."""
    shape: Shape = {}
    for group in range(max(1, size // 4)):
        first = []
        for number in range(4):
            shape[f"bank_{group}_{number}"] = ()
            shape[f"inspiral_{group}_{number}"] = (f"bank_{group}_{number}",)
            first.append(f"inspiral_{group}_{number}")
        shape[f"thinca_{group}"] = tuple(first)
        second = []
        for number in range(4):
            shape[f"trigger_{group}_{number}"] = (f"thinca_{group}",)
            shape[f"inspiral2_{group}_{number}"] = (f"trigger_{group}_{number}",)
            second.append(f"inspiral2_{group}_{number}")
        shape[f"thinca2_{group}"] = tuple(second)
    return shape


def sipht(size: int) -> Shape:
    """Untranslated RNAs: many patterns put together, four searches beside them, one join, annotations behind it."""
    patterns = many("patser", size)
    shape: Shape = {**dict.fromkeys(patterns, ()), "patser_concat": tuple(patterns)}
    searches = ("transterm", "findterm", "rna_motif", "blast")
    shape.update(dict.fromkeys(searches, ()))
    shape["srna"] = searches
    shape["ffn_parse"] = ("srna",)
    annotations = many("annotation", 4)
    shape.update(dict.fromkeys(annotations, ("srna", "ffn_parse")))
    shape["annotate"] = ("patser_concat", *annotations)
    return shape


SHAPES: dict[str, tuple[Callable[[int], Shape], int]] = {
    "montage": (montage, 20),
    "epigenomics": (epigenomics, 20),
    "cycles": (cycles, 15),
    "seismology": (seismology, 60),
    "soykb": (soykb, 10),
    "1000genome": (genome, 25),
    "blast": (blast, 40),
    "bwa": (bwa, 40),
    "sra": (sra, 20),
    "cybershake": (cybershake, 40),
    "inspiral": (inspiral, 16),
    "sipht": (sipht, 30),
}


def shape(name: str) -> Shape:
    """A workflow of that shape in its usual size, 30 to 300 tasks."""
    make, size = SHAPES[name]
    return make(size)
