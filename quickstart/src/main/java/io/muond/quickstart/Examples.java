package io.muond.quickstart;

import static java.util.Objects.requireNonNull;

/** Labelled images. */
final class Examples {
  private final Matrix images;
  private final int[] labels;

  /**
   * One row of {@code images} per label.
   *
   * @throws IllegalArgumentException if the counts differ
   */
  Examples(Matrix images, int[] labels) {
    this.images = requireNonNull(images, "images is null");
    this.labels = requireNonNull(labels, "labels is null");
    if (images.rows() != labels.length) {
      throw new IllegalArgumentException(
          "labels: %d (expected: one for each of %d images)"
              .formatted(labels.length, images.rows()));
    }
  }

  int count() {
    return labels.length;
  }

  /** (count, pixels). */
  Matrix images() {
    return images;
  }

  /** The digit of image {@code i}. */
  int label(int i) {
    return labels[i];
  }

  /** These examples, in this order. */
  Examples select(int[] selection) {
    int[] selected = new int[selection.length];
    for (int i = 0; i < selection.length; i++) {
      selected[i] = labels[selection[i]];
    }
    return new Examples(images.selectRows(selection), selected);
  }
}
