package io.muond.server.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.muond.server.model.HostMemory.Reservation;
import io.muond.v1.ErrorReason;
import org.junit.jupiter.api.Test;

class HostMemoryTest {
  @Test
  void whatIsTakenIsRefusedToOthersUntilItIsGivenBack() {
    HostMemory memory = new HostMemory(100);
    Reservation first = memory.reserve(60);
    assertThatThrownBy(() -> memory.reserve(41))
        .isInstanceOfSatisfying(
            MuondException.class,
            e -> {
              assertThat(e.reason()).isEqualTo(ErrorReason.HOST_MEMORY);
              assertThat(e.metadata())
                  .containsEntry("needed_bytes", "41")
                  .containsEntry("available_bytes", "40");
            });
    Reservation second = memory.reserve(40);
    first.close();
    first.close();
    assertThat(memory.reserved()).isEqualTo(40);
    second.close();
    assertThat(memory.reserved()).isZero();
    memory.reserve(100).close();
    assertThatThrownBy(() -> memory.reserve(Long.MAX_VALUE)).isInstanceOf(MuondException.class);
  }
}
