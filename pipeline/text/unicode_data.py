"""Tables of Unicode; written by `python -m tests.text.unicode_runs`."""

UNICODE_VERSION = "14.0.0"

RUNS = """
c-l4F2Y6NW`3LY5HVKfh62goEGKv_i0)`coA)pv+Rb-}=(iSQN2i006Dkz`=V*hm&8y7-oHQ+1)#s!Ei#tFq0sG=6dh`3n!C%&KZJomZJ=lj0D-x>GZbI-
XqBuV^hT=OWYd8F1nDr+8THIKrYM>F;I+^Ob~<5AmxQf)CMNlvbPu9qa8^>^d$wa*zz(xdjdRg&~n?`_;^oLlp_spgT#L)7zmXwBpLn#V-*O_EPG?-c%pz
H9aUQ9fVab-c*-+{7gw_t!j%YaXTMS*QLt`G%Uu4K<G^<WK5*O8p<|8|Ba151ZuA=_^;?#k=`C{+?f`6W&@U{03L@$NV{e!3X(EPU<Gf;+m(Tx{+U1H}ZL
WHUELH;{{yIH}TE9m~Y`*`8Hn05AcKhEq}*1)C=EOFV=H0FRd5#-1^}@^~0C&r96QPc}e{^ewNB_uOIVn;pe!VpXV3(CEm*0cso~E&H?_Czvhev(ci8?xI
=?jpPUBKH%7g%K^%iK_03i<QlHCj8UHrFqyD~eAM(fQpYUhu|K)?~RhD~%kL#=Eq+u+tZbRGCF!JUNW1beA%VYGNFJCQR&l}Xs8^&^X$Pef{%-`z!!SavD
kIIkhKfy_(sAo2cye+rmF5H#7a}Vy_DCX(cD3;fs&*D5D#6vjWJeQhhlDtqpi;H+MFX82Um+>X?9lTHdKU}YI)bkpL2k~Go;Bh>jr}6a0vHmj}$Nn#B9P`
iBcfG!a@<sC7csbwBcko&+<@LOQALpldBX6?2&GIe$vidfDg<s{J`d^dplJDmC)IZ=4d7r+I<ooT1D)mG1!;RxSeT0vxALkS1spgbauTN^YeroimaXL5Wm
fVATavwgO&)_q;ANS`x9%%W4crc&CBY6~$;jui9FXT(jKbfcSRGyLQ_%ZHs^{aTEzUz4*FVeS+m-9-#gV%B?ujdW?1V70ed6VUBmT%#$>f3k+zsftg!noJ
DlK1KRNWS0pSMd+}j_9ksaQgAMNON3p{j}(7%IVykTXGNX$$j{AK7-HXJRWFygXDvGxcW#Q#bbCZU&P~il6j`^RGy}9x_m~O<ALYuyF4x4M_0>lFz!b6h4
Mvw3oql_c_sgu@8)~?FT9HH;}U+5ALcc@jvwWXyv2IH$Xodp-oZP$!uZ#Dm-=qrZ~s);A79IpCec^FiQ}S4<juG_x8NS!lk<3>c?QV`^KkVMJc>v2SiXoa
;qm5~$dh>r7xFaYrpsqEaUAf~O=5c&aItaM8@EutNPZhH<J);9ujNvHf}iA#yvh8V<y-h=^{xC0@8F&MHt*v1&GR8w@;-eZ$@km-D*j5}*PJwUK4|LoZtC
^s=G=k@=pV#`dAPn2Jc>v2Sp65sf6kYvk8c{U%T)O^`E>m=ntC1eT_gX4{$jq~xP`n({Z77zH}K=Ui8u2WF6V8$!~C!EYy399!@GDlSMq+_QN@SU4|7V*j
qUBV=htSDpU!9SfM%}q<Rj%5$P1dq{1f<keK+z#Uc@)?Eqp6K#1HdoeuURs?goB>H}e+#<@_>l<!!v(xSd>K{rB*D`YSm}kJlq5J=`YU^)=_D$M~M<ah#k
XKT}^{?#KQ4EY9Nrwa+#8cmsJ557w7&J<e4h#h3A1eT(=eUaapnzDxaX-ppHh8`pkkP`e*~k`eh3&d-SL9i0)^(PJ{=p8C8D$Ai9$jhnzz_!m5lf5pG%**
ur8;v0AwFXt83=N`V#dX!|uc5mfvyq*8WJGp|7@-ZIO!g-}dcq|w2B|M%l<q1563wa4I<z>8r*YgH`il5=<xSXHo7kDdg=Uu#;o40g+ZRviI+wer5+|qqH
Piq;k_b>U^{M(js+|QR6n`Z@=@VERupWu{Mj^j-C{h2ZEoJ{B0%=kX)dcIfRUozwUv5HI75AeavSg)_-Kgg4;aEq+izRax1JIPO%pP3cw(N8^J{X+Gh%M0
a~@ob*Um+QZhi?f`+<Zorg`{y0Y+oir+|G(w$@_Xv<8~=g4GArH(|K+MI_itRcP0UlTO}H_qa$1|1uNkLvMw^(otvshqY~M9p%!~Bj%xk%n*Xb|gZ#l^hc
gi+@c8u%Axjc}EWygAt$d2_YFn+dr5nsi{{5LM+9b93aJ=w9p-jye9qc5v%EWdqQ>nFcRK2=`G^LYUmw~hIi%2)6`{D}G1w2kfho4m~UE&Lq6#z{NZ&F$O
|@o+xBo%2*XpU>@L{z>vFT*$MGzmn&xFW_SJ8_j<|Kgwm6vyu0!A2z=Bi}TvNOM9P#?S1aGkL3*F{PsRy_<Z9E<P-Qh<BEBS{uTTzZ{~8Yu>3dqE&fd37k
rQp^Edn*AK|0sNjg|g2lu}nonJdSzjg|D<QyKs=ki!C;PHGZPvD6>i6`?Ep32v8F+a&q@n+t_&+!ZVGH>O7aRtA{@9=wE$zSjx{)WHh<6QegO6_?*Eywo&
Iq|zfYtGJz-w)byd-V?Tj@(K8<l5&(HOCvDqTY?W=fv+jJ^3`t&*i+F_<R|_19Red8_egJe;AL@KT_Xl`FZ-r@>I(y<f5E7@665deS!Q+`5*W?^Dod>tiD
uznfh{Gp>Gve<oKSP_wqjen7`sWC&l=>CxshwBTnU3+?q2vn>%tB?#icdH}1|oxF`4K(>RX@ay}2|(L9zf;DVE4f88iw#7qCTz9+}))b`|X-;?8b>Bo&b$
No+2?DLYFa8LdT7j}vH|I)?p4xDs#-P1MZufrSpS$?%^tj|CBHLl>@{BPdRpYU(H#rn+b=KRjT<I8w9&*37T%a`*Nd?jDS^SZ@${Yk!6zKuWOPivoRuBkt
(eXhCY`>*-|_0RbWKFD8k6))@&Uev>V4&Tg+c?mD&TliMKjhFFqUctBXO1^{t#Q(>C<~#W=zMHr7h}Wf@|E<1<-{trCIG^C8m)|#g*<bu+uXw*6;=}64d&
TQ<f|FCDe#)ugZrq(u<=&jjzu`Gt#0yS!T_e9!Uc!&?8h(t+_-THIpW|}g#@qQduHap~n?K}A>s9-M`j6MUy<<Pt<NDlyQ#p;Bax?D09r+|anLBeA?#icd
H}1|oxF`4S?RWp)em|5Cln>&c@kM;Gc`o7cd?`=hi9CrXbL}4()PDY?<U0T4#{Ea#T>B|E?k^hV#&Oh0U*p{PoK594Zo*BunR(K4W4RgX&DC3|w^q;OEN;
Wu+?LyMd+x|Ne3JF;nH$GJuDp-!>C64~4Ui9#59K@gZu8vBtJF*Qem=^_IO$_Q_VK!MA70KY`^0+unM>5mxvG!(PItX{y6xk0xq!!UAs6#fUeD#6oDuVvp
U-10uf+F74|(4`<bIv2ABy8KdD!>2t9^gFI`WLwk>{-Ty%_h>m(O!n`#TKzm3$p9(08A_g!iwG?WmF;(*L#PALj4)d(L{qdOhO$keBc+{3=)Q8~i4}#c%T
-KE!p_#Cp|T6K=o_IgOieXYRfx=IO<!a_*Yg-oBh~+?70UO>F1YTx|Re`kvse>O1vUta0Bfuhe(QxbNjh`4}JPYW>ODm?w3u&zZIUo?xx(wzaXmT=kLaKU
Xi5&*x(Gh4RPwdG+n)+rh8ttFRt><dtjVc>dV<{amH*2v_T`{X?f8uRlwpzh9~SEk8#-jL+k-`U*<jpYr5V_t&MdoZrj;z}Fgo9T%IoOun8s@RR&B|AV)1
IX}-Y@QarFE`Pw4d_aGd^*tp2M*f}tly#9eT<3b2)44fkaSnIm?tB{O@<g7*Gr5TWvo6--z`9t!&-tLfs&!sZuKfeG+Hnu<a^11Zbp^l5$2j>R_W$f7mU|
?;hm)hW`>6X;Zo?h8<Iz~JPTWJiC->w2JctML5YFeb`5Ye3BX|S9$%Bu_=i!j!j>qG^hvk*LovZj5CntR0cf$7-Ct|*A&QZ_hzUuwBKcB^UJb(xCARf#^I
G=~|*?bNU<KcWRkKzkY#PRVnzL>}J1pO0v5>MtSJe7-1_#Tnx@o`S6j_am6)jsd5<2t7SH{!<CuAAgd<W0F*b*yJPXH>`W+`Q(w_D|hfa9iWr>+59sIeb#
J-%EK=wcn3;sQN^ntUkrOQ{{#7UzmTI{Fn0SJfqt6ka?ezzrfph2UqYLyqov%`&_#-uK)4R0#f3-oV#&%9>4>6Fc0CeT)<Pfn2&P9l$7}0E+w4L*YHxlm5
<jv|M+)zTwEvSTU94q!mo2>o#@|NC+0aOPwGZrPTk16)Q$X9`B3@UJetSoE0E8t8}nZ)FP7iOCHxX^=L&w^yzg*Q&-i-A*F4uAf2CZe{ub}%W1Q3vcdsAL
<>_3+*YY3v7QU75;6L%7`A&X-ALI@EIB(=<c{3*s!u=Y0y&Hxv=0g4r7xPVgGq2|j{46Jp!VMaQ8*yV!<-XjH&*FhRh==gSJibx9UWM}C%de3a%l|5WL|(
>~>R<C={+5sGPZ~#_**M(3any6<d0foT@Fx9R<mFtU{st$hQBO%t@ppqM{%$bbkehIZ{#NqV+=jEcFZVZY01x5()L8x~`NcKQKYmVdp?T)(TOco%uacL@%
jMho75>=rK9L_Vu8Na1>zn2{<coQHn%7x=h5TxHv3#X`t-OqrCQ%>N#QO8&T+UzfktSZ3rjd7P8tdP^srPZyI1l7;VKe)unfaT=xKdu%EXMzx%hWe;k{<4
m9`khL?&+4tBhq7@ar!PwkJoF0z9M}$=(|aMsd}0E%f|mxUMc^MlZ+T&HzV@?JTfEZ8<i1#7iPpfGcsa-6zQ95+!cHk&ogd;{6={hKdZjQa$b<XD6i1}8C
O~E5l)(0@8&)y`OM}~@7p~3^Lc3VSk5s0!}X8kbM+PQ73x>Y=gEK1#p*Z8ALr-!Wy{;9{}uIr$#-&v_1t6JyZYbb_xS_kDtT}7cs;)1q($_%Xc2D7y;{U_
`nQPjdFlgr5D(Tjgo};8nHTdCUdqdOIp4>B<+YYmDle0NXn6<ZRV}=}oV0X)Z0Y>iGR8IKbZ*Wqxd->;K72Z#!Dn(F53syJ^1(b@eI$?KF+7$Fj2p+7sE_
B#>eJ-Y<umv)F5;^=X%*wnY~^_6F|A_1p5MyyTgCpHz*F>3)jv&M%w_5?@mBS1yqzn|yXSx7TSxt|)-nF6){#HM&+`kdWBp#@S9rJa@9F<QJ;{tbH#72~n
bChvX4HqN59fkR+sno3>x_Sf|Dj&4e+MU7QE!(O?vNGZdU0-+^L|#m&jx12`V3LeH-021ZM@&w`220-I#OQQCg%HZo0#uw^=kEo+2O|7;Z$zIt++L3aU0I
fj^*~1_v5p801wfh&qMia9+n;3Io!ArJdz8t?RPFQehruM>*m`n-@|*=_sRdmAE|#VPujXpY8!bP|CIB101s&!<IZmDJkKN5&*cK+#>pq~Qocvuz2;e^ex
JOIf8eCO>)iIPbNRIPF<(D<f6iAQ+TQW4UeMltZ6C+SW%A4Qui%yDS;K4jX-+ygo;tV==TuJPJ{_!|JdX$PKpxCPc!cpI`CRpa4%VLw_08a4^KW@3FE!6{
`3hdicko^M@0OQXUMW|0bY0gm`oHTK`}c>AQ9q}X<GPdAv6K55F7Fik{cTQiqJB?j?h^GmU7T;aM15FS>wQ}ItJC!7Iu6d@VfNby{*C*ena(FO!&A9%W^C
U~o;@?xzewM6@^XDUxI+CPSIvz5@s07{%9B~n8?zh-v!Z_1EbF5_Og>y*Fw5)A6KBPKnZ~~~?rNUTEB-g{>~Qhy7<cFF$nTmR%ekAAIX>s+gfEyA>scTl$
BWgM^Bw9X@=D&v|EYPd{r=`7{U6J#_z)*WG4A`Dd2#riTlqHc``e6vEapA@Soj-0#>csuld^E<_4e!f@XvTU|Avd!`@Ug=@teZ4HmUP`F6Je?g74u~n__$
ax+(U1i9C5N^4_oc9ORMwtJlLbUk_i#SMarbBQN4xxs)H}v)^!?^@i8$jW{k2bK#r5mwMCsy%pPW(Od3gc@^KsCHw$C$Pe=)yq5pYkMc%-mN)Tceu-b^25
<Xb?d@<HH|5rx$sM>O=kWj@!udR$NAO4<&Exn&Uj0sZ%{$@e`2~KL-{Yfvj9c%rzPnt1a$mlH3wRC}@e*FjYq^wP<d^uLymMEaUy|Kk?>){>d+Z;+jIZK(
ypR|1;yrPEFX4ODOZa{+<K)9wpH3fgrSD}beV%eQx8sw!Gk4`v_$Qp~jrmXA>;1LY_Q?m!^Y_Mn7|mnVFW?pX!jJBY@sI8Ec_9B>UbWACm3rkTQUBzV@Td
Gaf5BgJ6<2fesr%bc-7kFVd#+DodAsDvXFfkZi+l{9_nG77GoK?o_w$(NZ=Z+%&SkuwpX8J;!o9x;pT>hZIT*{UchLPK=kQ6~nY(aT?#A7@2mh4M;Qo9T=
kWj@$Y=98Jd)4lQ9PQ*@OgYb7w|a#8ULIw;!AiuU&<4BB2VJUJcXxnA^(DZ$<z5){A-@YzvC<TO1_$};rV<WFW_Qc%D3=e_<nwfALdeC$D26$Dvpn)UpcO
idS4t>PwK?~e_CB9{7Cq$r^ESAhdVwK&Uq&Mz|L^l&hXv?#(%H>2q$%a^q7`)!zs<;{aN!|>;DHa=6oj
"""
"""Base 85 of zlib of little-endian uint32 pairs: the first code point of a run, and its flags in `unicode_classes`."""

FOLDS = """
c-rk;U1%It6rS1HY_iF2(HN?A+mcBAX&S02iW;Gq^uZUk_|TU=_#jef1ra0&jc64LO{t2lAc{(xTG9I8i-@7vJ_uq}EE?LXDaMvmDvA1#*0#we*Y9-Bu(O
ky&i>BK?w$`$?$5bD=bkzDZ_aE!)ikXYlmIn>^eR!zhu_6zf+C}UGJ2I|(0%fpdNVw9YA+La;W^tgJnGuZQ9CUj{ZvA?Uj6C;+kr*Su^KKm>#XxEXc)AH)
1<Q`sM%+HLChze=W{zK?O`9K*sI|(CZme$M$pt-0b6Pf*mm^_%*CjZ5n($a+3p3MYmKIiG2YkL818(MKY;~dd)&XRmKvJFcAM$fYuo-~A*>~C`mFVFwffj
h(j&jE#Cm>w!)KlLYxl+)-)D^i&oVLFnZ>Vc!sk5FTx2_b<vI!&o0l9Zn>^FDF;d>zGIdLGy#e|#7R<BU<I&F&4&RK|$C=P;?mF$&aLnI&*cXx<(w*XV-5
g`5?Vdrr4Ct7?c%6C<w12RAvUQYLZ`XBr@ep<0=5w}ha_kxLGWK_`yh7WE@tT$3_zKXFQ9t*=FsOf{H!tmycPs1r4z`^SM2Df!NW}NK;fTreeudw6l~UK@
O(p8b4(IS^CK;{_uWSmp{{!2j@hmo_bMf0i?_#aql2z(xNWPXqrPS+HKEL##kMD|j2RX5z)T%1Jr`ZL0hHU9e=<g5ocMtL@eS+TOA^s!l=sv`sK=>k;zn^
&qpL38@y`WQ^N7Tb@5sicHLYl&E4k`T`x4)Xpo&nv7xaBv{xGj5F317<)#yhO%+S`vlyXiSqSkEt`-JJ!LTZhh1pH%8el>Y(oGl;K8JjwTpBQ{-H^vk?bd
%^sYd2xO|qe$EBdxb4N1>O}0zgoVQS@Z)nE4qt}BTVr9m-3etsmJe8htAZO5n|YC1Ghsqvcoo>u`<W?Qw4NW4z<^qujK~NjEim7i?3x}M9(u5(D}ER0JMI
M^+em(^7WtYbLxR<Q~suS&Tg&ugc|!-Xq~ulK+|?^3wK_Y{2n(g{*yv!?5t8L+nR9!Hm<G2ns`pBwJYn-hZLr-WyhpB_blwm6z6Ms$7i3s>cd~=)4pH*2g
|Ha<LieG=1{JQb)YgP?-<v87<^iTjv#*n;+Ofnp>dwQy@5${547Xv<tFbCxA!>fJj>@>LS}isKDUA1M*Oi!Q!bK^%6*o}Ut1mp|LJW0Gqf<P^7H2$=@je7
N{^t?5wwNtp|-Wtypxr){*m0D{I1l&Rl%&c>&MNpSmU(xW<A$rPi?=uxVAT*QmUPt3FnoXTAiDx=W$Qy<nsWfyShyqIeyZ#r~dBx^R@JiEw=kh7=N2BZsl
8f9UqCWrC49f{2=aZyWM>)ziw8l=TLF7euX;!@w}uy=x#{g3jKv}DZ(#4*0iUx-gk)@-_QO*J1NYCzTNJ=mc!4~&RH>v^uqMw`IY8SZ_4G-d7Yl;=xl!Zi
y_~ky8`OxtcsSM9X53FwG=_`Mab6@Z?2#9<Dr=aweJ?ap?xg}BjRhBSi0bPM+ghggI-grsxmd>0DLuDcpvneg}qglsgaSw^SGF8JpHy{+*bk`caVJv1dW7
Oap!qyR_2zVe$b2k;<U=Wv;G|MfqA8ZIG;5dZZh)Ie;2t=j~ex(i($5{qYfR=7#~5NeXQ3jyODYHz0NoEO^c&Ui;;W(d$&g!r*8dZD`mX&yOp11J_!T@fx
v++TJC#U%WuDgc`@8O{^jo`X&<BS5BAADL?93d1OkEJ8gv|>R6zcZAo~&s1OkCTP$2k!fAnjM-{m(Nit$}|mSug?nP<Ro(W#A3N!K!E%2o)(*CG%I1Oh*7
HMcG8E!i&w0)e1r@jte$Y1j
"""
"""Base 85 of zlib of little-endian uint32 (4, n), each row as differences: a code point, and up to three in its place
(0: none) in `normalise`."""
