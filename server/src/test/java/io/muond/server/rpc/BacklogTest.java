package io.muond.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class BacklogTest {
  private final List<SocketAddress> ended = new ArrayList<>();
  private final Backlog backlog = new Backlog(4L * Backlog.BYTES_PER_CALL, ended::add);

  private static SocketAddress peer(int port) {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
  }

  @Test
  void theConnectionWithTheMostIsEnded() {
    backlog.stands("a", peer(1));
    backlog.stands("b", peer(2));
    backlog.stands("c", peer(2));
    backlog.stands("d", peer(3));
    backlog.stands("d", peer(3));
    assertThat(ended).isEmpty();
    backlog.stands("e", peer(4));
    assertThat(ended).containsExactly(peer(2));
    assertThat(backlog.size()).isEqualTo(3);
  }

  @Test
  void ofSeveralTheOneThatHasStoodForLongest() {
    for (int port = 1; port <= 5; port++) {
      backlog.stands("call" + port, peer(port));
    }
    assertThat(ended).containsExactly(peer(1));
  }

  @Test
  void oneThatGoesOnIsNoLongerOfThem() {
    for (int i = 0; i < 1_000; i++) {
      backlog.stands("call" + i, peer(i % 3));
      if (i >= 3) {
        backlog.moves("call" + (i - 3));
      }
    }
    assertThat(ended).isEmpty();
    assertThat(backlog.size()).isEqualTo(3);
  }

  @Test
  void thereIsRoomForOne() {
    Backlog small = new Backlog(1, ended::add);
    small.stands("a", peer(1));
    assertThat(ended).isEmpty();
    small.stands("b", peer(2));
    assertThat(ended).containsExactly(peer(1));
  }
}
