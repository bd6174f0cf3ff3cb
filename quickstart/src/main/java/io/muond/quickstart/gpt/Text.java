package io.muond.quickstart.gpt;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * A text as numbers of its characters: nine tenths to train on, the last tenth to validate with.
 *
 * <p>It is "The Devil's Dictionary" by Ambrose Bierce (1911), in the public domain, as released by
 * The Internet Wiretap in 1993; its notice stands at its beginning.
 */
final class Text {
  private static final String RESOURCE = "devils-dictionary.txt";

  private final int[] training;
  private final int[] validation;
  private final int vocabulary;

  private Text(int[] training, int[] validation, int vocabulary) {
    this.training = training;
    this.validation = validation;
    this.vocabulary = vocabulary;
  }

  static Text load() throws IOException {
    try (InputStream in = Text.class.getResourceAsStream(RESOURCE)) {
      return of(new String(in.readAllBytes(), StandardCharsets.US_ASCII));
    }
  }

  /** Characters are numbered in their order. */
  static Text of(String text) {
    int[] alphabet = text.chars().distinct().sorted().toArray();
    int[] all = text.chars().map(c -> Arrays.binarySearch(alphabet, c)).toArray();
    int split = all.length / 10 * 9;
    return new Text(
        Arrays.copyOf(all, split), Arrays.copyOfRange(all, split, all.length), alphabet.length);
  }

  /** The number of different characters. */
  int vocabulary() {
    return vocabulary;
  }

  /** Pieces of the training text from random places. */
  Batch training(int count, int context, Random random) {
    int[] starts = new int[count];
    for (int i = 0; i < count; i++) {
      starts[i] = random.nextInt(training.length - context);
    }
    return batch(training, starts, context);
  }

  /**
   * The whole validation text in pieces that do not overlap, but for what does not fill a batch.
   */
  List<Batch> validation(int count, int context) {
    List<Batch> batches = new ArrayList<>();
    int step = count * context;
    for (int from = 0; from + step < validation.length; from += step) {
      int[] starts = new int[count];
      for (int i = 0; i < count; i++) {
        starts[i] = from + i * context;
      }
      batches.add(batch(validation, starts, context));
    }
    return batches;
  }

  private static Batch batch(int[] text, int[] starts, int context) {
    int[] inputs = new int[starts.length * context];
    int[] targets = new int[inputs.length];
    for (int i = 0; i < starts.length; i++) {
      System.arraycopy(text, starts[i], inputs, i * context, context);
      System.arraycopy(text, starts[i] + 1, targets, i * context, context);
    }
    return new Batch(context, inputs, targets);
  }
}
