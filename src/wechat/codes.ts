/** WeChat codes that mean more to the service than their class does. Their meanings are in errcodes.ts. */
export const CODE = {
  invalidCredential: 40001,
  invalidLoginCode: 40029,
  loginCodeUsed: 40163,
  highRiskUser: 40226,
  formIdInvalid: 41028,
  formIdUsed: 41029,
  notFollowing: 43004,
  refusedByUser: 43101,
  sameOpenidConcurrently: 43108,
  minuteQuota: 45011,
  receivingTurnedOff: 48002,
} as const
