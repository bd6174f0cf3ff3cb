package io.muond.kernels;

import java.util.ArrayList;
import java.util.List;

/**
 * The kernels, loaded in the CUDA context that was current when this was made, and their launchers.
 * Owns the modules: close it in the same context. Of one thread, as the context is.
 */
public final class Kernels implements AutoCloseable {
  /** Every PTX file. */
  static final List<String> FILES =
      List.of(
          "cholesky",
          "descent",
          "directions",
          "elementwise",
          "gram",
          "halves",
          "pointers",
          "reductions",
          "residuals",
          "rows",
          "scalars",
          "squares",
          "wire");

  private final List<Module> modules = new ArrayList<>();
  private final ElementwiseKernels elementwise;
  private final DescentKernels descent;
  private final SquareKernels squares;
  private final ReductionKernels reductions;
  private final GramKernels gram;
  private final CholeskyKernels cholesky;
  private final RowKernels rows;
  private final WireKernels wire;
  private final HalfKernels halves;
  private final ScalarKernels scalars;
  private final PointerKernels pointers;

  /**
   * Loads them.
   *
   * @param multiprocessors of the device, by which grids are sized
   * @throws jcuda.CudaException naming the file that does not load
   */
  public Kernels(int multiprocessors) {
    try {
      Module squareModule = load("squares");
      Module rowModule = load("rows");
      elementwise = new ElementwiseKernels(load("elementwise"), multiprocessors);
      descent = new DescentKernels(load("descent"), multiprocessors);
      squares = new SquareKernels(squareModule);
      reductions = new ReductionKernels(load("reductions"), squareModule);
      gram = new GramKernels(load("gram"), rowModule, multiprocessors);
      cholesky = new CholeskyKernels(load("cholesky"));
      rows = new RowKernels(load("directions"), rowModule, load("residuals"), reductions);
      wire = new WireKernels(load("wire"), multiprocessors);
      halves = new HalfKernels(load("halves"), multiprocessors);
      scalars = new ScalarKernels(load("scalars"), multiprocessors);
      pointers = new PointerKernels(load("pointers"));
    } catch (RuntimeException e) {
      try {
        close();
      } catch (RuntimeException suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
  }

  private Module load(String file) {
    Module module = new Module(file);
    modules.add(module);
    return module;
  }

  public ElementwiseKernels elementwise() {
    return elementwise;
  }

  public DescentKernels descent() {
    return descent;
  }

  public SquareKernels squares() {
    return squares;
  }

  public ReductionKernels reductions() {
    return reductions;
  }

  public GramKernels gram() {
    return gram;
  }

  public CholeskyKernels cholesky() {
    return cholesky;
  }

  public RowKernels rows() {
    return rows;
  }

  public WireKernels wire() {
    return wire;
  }

  public HalfKernels halves() {
    return halves;
  }

  public ScalarKernels scalars() {
    return scalars;
  }

  public PointerKernels pointers() {
    return pointers;
  }

  /** Unloads the modules, all of them even if one fails. */
  @Override
  public void close() {
    RuntimeException failure = null;
    for (int i = modules.size() - 1; i >= 0; i--) {
      try {
        modules.get(i).close();
      } catch (RuntimeException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    modules.clear();
    if (failure != null) {
      throw failure;
    }
  }
}
