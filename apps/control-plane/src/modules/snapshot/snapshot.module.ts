import { Global, Module } from '@nestjs/common';
import { Changes } from './changes.ts';
import { InternalAnswers } from './internal-answers.ts';
import { InternalListener } from './internal-listener.ts';
import { Publisher } from './publisher.ts';
import { RevisionPublisher } from './revision-publisher.ts';
import { SnapshotBuilder } from './snapshot-builder.ts';
import { StoreCheck } from './store-check.ts';

/** Global, because every module that changes tenant state announces it. */
@Global()
@Module({
  providers: [Changes, Publisher, RevisionPublisher, SnapshotBuilder, StoreCheck, InternalListener, InternalAnswers],
  exports: [Changes, Publisher, InternalListener],
})
export class SnapshotModule {}
