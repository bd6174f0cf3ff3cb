package io.muond.server.engine;

/**
 * How elements that follow each other outside are dealt out in memory, as cards are: element e of
 * each block of {@code hands · cards} lies in hand e mod hands, at place ⌊e / hands⌋ of it, and the
 * hands lie one after the other. It turns m × n matrices into their transposes (n hands of m
 * cards), and a tensor (out, in, k) into k matrices of out × in (k hands of out · in cards). With
 * one hand elements lie as they come.
 */
public record Dealing(long hands, long cards) {
  /** Elements lie as they come. */
  public static final Dealing NONE = new Dealing(1, 1);

  public Dealing {
    if (hands < 1 || cards < 1) {
      throw new IllegalArgumentException(
          "dealing: " + hands + " hands of " + cards + " cards (expected: at least one of each)");
    }
    Math.multiplyExact(hands, cards);
  }

  /** Transposes row-major matrices of {@code rows} × {@code columns}. */
  public static Dealing transpose(long rows, long columns) {
    return rows == 1 || columns == 1 ? NONE : new Dealing(columns, rows);
  }

  /** Elements of a block. */
  public long block() {
    return hands * cards;
  }

  /** Where an element lies. */
  public long place(long element) {
    long inBlock = element % block();
    return element - inBlock + inBlock % hands * cards + inBlock / hands;
  }

  /** Which element lies at a place. */
  public long element(long place) {
    long inBlock = place % block();
    return place - inBlock + inBlock % cards * hands + inBlock / cards;
  }

  /** The first place of the block of element {@code first}. */
  public long begin(long first) {
    return first - first % block();
  }

  /** The place behind the last block of elements [first, first + count). */
  public long end(long first, long count) {
    return count == 0 ? begin(first) : begin(first + count - 1) + block();
  }
}
