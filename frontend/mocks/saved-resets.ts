import { createOpenApiHttp } from 'openapi-msw';
import type { paths, SavedResets } from '@/api';
import { changeAccount } from './accounts';
import { invalid, missing, problem } from './answers';
import { Random } from './random';
import { briefOf, NO_RESETS } from './reset-seeds';
import { iso } from './time';
import type { World } from './world';

const http = createOpenApiHttp<paths>({ baseUrl: '*/api/admin/v1' });

type State = () => World;
type Wait = () => Promise<void>;
type Now = () => number;

export function savedResetHandlers(state: State, wait: Wait, now: Now) {
  const put = (id: string, resets: SavedResets): SavedResets => {
    state().resets = { ...state().resets, [id]: resets };
    changeAccount(state(), id, { saved_resets: briefOf(resets) });
    return resets;
  };
  return [
    http.get('/upstreams/{upstream_id}/saved-resets', async ({ params, response }) => {
      await wait();
      return response(200).json(state().resets[params.upstream_id] ?? NO_RESETS);
    }),
    http.put('/upstreams/{upstream_id}/saved-reset-policy', async ({ params, request, response }) => {
      await wait();
      const policy = await request.json();
      put(params.upstream_id, { ...(state().resets[params.upstream_id] ?? NO_RESETS), policy });
      return response(200).json(policy);
    }),
    http.post('/upstreams/{upstream_id}/saved-resets/redeem', async ({ params, request, response }) => {
      await wait();
      const { confirm, expected_available } = await request.json();
      if (!confirm) return response.untyped(invalid('/confirm', 'Confirm that one shall be spent.'));
      const resets = state().resets[params.upstream_id];
      if (!resets) return response.untyped(missing('account'));
      if (resets.available !== expected_available)
        return response.untyped(
          problem(
            409,
            'count_changed',
            `There are ${resets.available} saved resets by now. Nothing was spent; look again and decide anew.`,
          ),
        );
      const [spent, ...others] = resets.items;
      if (!spent) return response.untyped(problem(409, 'nothing_to_redeem', 'There is none.'));
      const left = expected_available - 1;
      return response(200).json(
        put(params.upstream_id, {
          ...resets,
          available: left,
          next_expires_at: others[0]?.expires_at ?? null,
          awaiting_confirmation: true,
          redeem_refusal: 'One of them is being spent right now.',
          items: [{ ...spent, state: 'awaiting_confirmation' }, ...others],
          redemptions: [
            {
              id: new Random(now() % 1000).uuid(),
              reset_id: spent.id,
              state: 'awaiting_confirmation',
              trigger: 'manual',
              outcome: 'applied',
              windows_reset: null,
              attempts: 1,
              created_at: iso(now()),
              applied_at: iso(now()),
              finished_at: null,
            },
            ...resets.redemptions,
          ],
        }),
      );
    }),
  ];
}
