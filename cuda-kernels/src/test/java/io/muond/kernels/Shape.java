package io.muond.kernels;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** A batch's shape and how it lies in memory: what every contract test runs over. */
record Shape(int count, int rows, int cols, Layout layout) {
  /** Where the matrices lie in their allocation. */
  enum Layout {
    /** One after the other: 16-byte accesses where the size allows. */
    PACKED,
    /** Blocks of larger matrices, every row aligned to 16 bytes. */
    ALIGNED_BLOCK,
    /** Blocks that begin anywhere. */
    ODD_BLOCK,
    /** Side by side in one wide matrix, so that the stride is less than a matrix. */
    SIDE_BY_SIDE
  }

  /** Elements before the first one. */
  int offset() {
    return switch (layout) {
      case PACKED, SIDE_BY_SIDE -> 0;
      case ALIGNED_BLOCK -> 4;
      case ODD_BLOCK -> 1;
    };
  }

  int ld() {
    return switch (layout) {
      case PACKED -> cols;
      case ALIGNED_BLOCK -> (cols + 3) / 4 * 4 + 4;
      case ODD_BLOCK -> cols + 3;
      case SIDE_BY_SIDE -> count * (cols + 1);
    };
  }

  int stride() {
    return switch (layout) {
      case PACKED -> rows * cols;
      case ALIGNED_BLOCK -> rows * ld() + 8;
      case ODD_BLOCK -> rows * ld() + 5;
      case SIDE_BY_SIDE -> cols + 1;
    };
  }

  Shape in(Layout other) {
    return new Shape(count, rows, cols, other);
  }

  Shape transposed() {
    return new Shape(count, cols, rows, layout);
  }

  int elements() {
    return count * rows * cols;
  }

  /** The elements' places in the allocation, matrix by matrix in row-major order. */
  int index(int element) {
    int k = element / (rows * cols);
    int inMatrix = element % (rows * cols);
    return offset() + k * stride() + inMatrix / cols * ld() + inMatrix % cols;
  }

  /** Elements of the allocation. */
  int extent() {
    return index(elements() - 1) + 1;
  }

  /** Which elements of the allocation are the matrices'. */
  boolean[] taken() {
    boolean[] taken = new boolean[extent()];
    for (int e = 0; e < elements(); e++) {
      taken[index(e)] = true;
    }
    return taken;
  }

  /** All layouts of one, two and three matrices of single elements, rows, columns and tiles. */
  static Stream<Shape> any() {
    List<Shape> shapes = new ArrayList<>();
    int[][] sizes = {{1, 1}, {1, 7}, {7, 1}, {1, 64}, {5, 9}, {33, 31}, {8, 260}, {70, 130}};
    for (int[] size : sizes) {
      for (Layout layout : Layout.values()) {
        shapes.add(new Shape(1 + shapes.size() % 3, size[0], size[1], layout));
      }
    }
    shapes.add(new Shape(70_000, 1, 1, Layout.PACKED));
    shapes.add(new Shape(1, 1, 300_001, Layout.PACKED));
    shapes.add(new Shape(2, 3, 70_001, Layout.ALIGNED_BLOCK));
    return shapes.stream();
  }

  /** The same for square matrices. */
  static Stream<Shape> square() {
    List<Shape> shapes = new ArrayList<>();
    for (int n : new int[] {1, 2, 31, 32, 33, 64, 97}) {
      for (Layout layout : Layout.values()) {
        shapes.add(new Shape(1 + n % 3, n, n, layout));
      }
    }
    shapes.add(new Shape(1, 200, 200, Layout.ODD_BLOCK));
    return shapes.stream();
  }
}
