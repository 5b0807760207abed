"""What ``--help`` says. ``{prog}`` stands for how the command line was called."""

# Lines of the help are shorter than 80 characters, like those that argparse wraps.
DESCRIPTION = """\
The Adam family of optimizers as fused kernels. These commands show this build,
and try and measure it on this machine.
"""

EPILOG = """\
examples:
  {prog} info            the build, and what it uses on this machine
  {prog} demo            watch a network learn, in a few seconds
  {prog} bench           measure its speed, in about ten seconds
  {prog} bench --help    what its columns mean
  {prog} race            watch Adam and its ancestors, in a browser
"""

INFO = """\
Show this build, and what it uses on this machine:

  fastadam   the version
  rules      the update rules that are compiled in
  isas       the instruction sets that are compiled in, best first; the active
             one can be forced by the environment variable FASTADAM_ISA
  threads    how many a large step uses; set by FASTADAM_NUM_THREADS, else
             OMP_NUM_THREADS, else the number of usable CPUs
  prefetch   how far ahead large steps load memory, which suits this CPU's
             vendor; set by FASTADAM_PREFETCH (a number of elements; 0: none)
  compiler   the one that built the kernels
  openmp     its version and the library that is loaded; with none, steps use
             one thread
  include    the folder of fastadam.h, for other extension modules
"""

INFO_EXAMPLES = """\
examples:
  {prog} info
  FASTADAM_ISA=x86-64 {prog} info
  {prog} info --json | python -m json.tool
"""

BENCH = """\
Measure steps of AdamW on flat float32 buffers, two that fit into caches and
one that does not, and on a model of 1,000 small tensors. Before that, check
that the results equal those of fastadam.reference, bit for bit.

  elements          of a buffer, or the number of tensors times those of each
  threads           that a step may use; small steps use fewer
  time              of one step
  GB/s              at 28 bytes per element: 4 float32 are read and 3 written
  vs NumPy          how many times faster than Adam written with NumPy's
                    in-place operators, which use one thread
  % of memory wall  of the speed of a kernel that does the same loads and
                    stores with next to no arithmetic, on as many threads,
                    with half the distance between its quartiles

Times and ratios are medians of samples taken in turn. Other programs that run
meanwhile slow everything down: if they used the CPUs, the last line says so.
The largest buffer has 30 million elements, or fewer if memory or time is
short.
"""

BENCH_EXAMPLES = """\
examples:
  {prog} bench
  {prog} bench --threads 1 4 8 --seconds 30
  {prog} bench --json > result.json
"""

DEMO = """\
Train a network of two layers, written in NumPy, to tell the points of two
interleaved spirals apart. fastadam.Adam steps it. fastadam.reference, the
specification in NumPy, steps an identical copy. Both must end with the same
parameters, bit for bit.

The output is the mean cross-entropy (loss) and the share of points classified
correctly (accuracy) during training, and at the end which part of the plane is
assigned to which spiral, the accuracy on unseen points, and a step's time.
"""

DEMO_EXAMPLES = """\
examples:
  {prog} demo
  {prog} demo --json 2> progress.txt
"""

RACE = """\
Let several optimizers minimize the same function of two variables from the
same start, and write a page that shows it in a browser, even offline: each
method's path so far, learning rates to choose from, and what happens inside
each step of a method:

  gradient      the input of the method
  m, v          its averages (or sums) of gradients and of their squares
  corrected     m and v without their bias towards zero, if the method
                corrects it
  step          by how much the parameter changes
  effective lr  what corrected m is multiplied by; each parameter has its own

If no learning rate is given, a method gets the one with the lowest mean loss
over the race, among 1 and 3 times powers of ten. The public optimizers take
every step. Needs plotly for a page, else matplotlib:
pip install 'fastadam[viz]'
"""

RACE_EXAMPLES = """\
examples:
  {prog} race
  {prog} race --function ravine --optimizer SGD momentum Adam
  {prog} race --function saddle --start 0.5 0.1 --lr Adam=0.1
  {prog} race --function bowl --no-bias-correction
  {prog} race --function beale --output race.gif

surfaces:
  rosenbrock beale himmelblau rastrigin saddle bowl plateau ravine noisy-bowl

optimizers:
  SGD momentum Nesterov AdaGrad RMSProp Adam AMSGrad AdamW
"""
