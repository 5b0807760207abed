from Cython.Build import cythonize
from setuptools import Extension, setup

openmp = ["-fopenmp"]
extension = Extension("cython_consumer", ["cython_consumer.pyx"], extra_compile_args=openmp, extra_link_args=openmp)
setup(ext_modules=cythonize([extension]))
